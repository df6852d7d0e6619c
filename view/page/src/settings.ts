// What a user chose, kept in this browser.
import { effect, signal } from "@preact/signals";

export type Theme = "auto" | "light" | "dark";
export type Language = "en" | "zh";

const read = (key: string) => localStorage.getItem("coracle-view-" + key);

export const theme = signal<Theme>((read("theme") as Theme) ?? "auto");
export const language = signal<Language>((read("language") as Language) ?? (navigator.language.startsWith("zh") ? "zh" : "en"));

effect(() => {
  localStorage.setItem("coracle-view-theme", theme.value);
  document.documentElement.dataset.theme = theme.value;
});
effect(() => {
  localStorage.setItem("coracle-view-language", language.value);
  document.documentElement.lang = language.value === "zh" ? "zh-CN" : "en";
});

const preferred = matchMedia("(prefers-color-scheme: dark)");
export const dark = signal(false);
const see = () => (dark.value = theme.value === "auto" ? preferred.matches : theme.value === "dark");
preferred.addEventListener("change", see);
effect(() => void see());
