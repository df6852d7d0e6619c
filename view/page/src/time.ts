// Time as people read it, which goes on while nothing else changes.
import { signal } from "@preact/signals";
import { language } from "./settings";

/** Now, to ten seconds: what shows an age is drawn again when it changes. */
export const now = signal(Date.now());
setInterval(() => {
  if (!document.hidden) now.value = Date.now();
}, 10_000);
document.addEventListener("visibilitychange", () => (now.value = Date.now()));

/** An age in two figures at most, as kubectl has it: 5d3h, 12m, 4s. */
export function age(since: number, until = now.value): string {
  if (!since) return "";
  const s = Math.max(0, Math.round((until - since) / 1000));
  const m = Math.floor(s / 60), h = Math.floor(m / 60), d = Math.floor(h / 24);
  if (s < 120) return s + "s";
  if (m < 10) return m + "m" + (s % 60 ? (s % 60) + "s" : "");
  if (h < 3) return m + "m";
  if (h < 8) return h + "h" + (m % 60 ? (m % 60) + "m" : "");
  if (h < 48) return h + "h";
  if (d < 8) return d + "d" + (h % 24 ? (h % 24) + "h" : "");
  if (d < 730) return d + "d";
  return Math.floor(d / 365) + "y";
}

export const clock = (at: number) => new Date(at).toLocaleTimeString(language.value === "zh" ? "zh-CN" : "en-GB");
export const moment = (at: number) => new Date(at).toLocaleString(language.value === "zh" ? "zh-CN" : "en-GB", { dateStyle: "medium", timeStyle: "medium" });
