// The page's words. English ones are their own keys; who has no translation shows those.
import { signal } from "@preact/signals";
import { language } from "./settings";

const words = signal<Record<string, string>>({});

export async function loadWords() {
  words.value = language.value === "zh" ? (await import("./zh")).default : {};
}

/** Differs when the words do: for what is kept with words in it. */
export const wordsVersion = () => words.value;

/** The words for what, with {name}s filled in. */
export function t(what: string, fill: Record<string, string | number> = {}): string {
  const text = words.value[what] ?? what;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in fill ? String(fill[name]) : whole));
}
