// Fails if the page has words that the Chinese lack, or the Chinese have words that are nowhere.
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

const src = join(import.meta.dirname, "src");
const text = readdirSync(src, { recursive: true }).filter((f) => /\.tsx?$/.test(f) && f !== "zh.ts").map((f) => readFileSync(join(src, f), "utf8")).join("\n");
const chinese = new Set([...readFileSync(join(src, "zh.ts"), "utf8").matchAll(/^  "((?:[^"\\]|\\.)*)":/gm)].map((m) => m[1]));
const used = new Set([...text.matchAll(/\bt\(\s*"((?:[^"\\]|\\.)*)"/g)].map((m) => m[1]));
for (const m of text.matchAll(/\btitle: "([^"]+)"/g)) used.add(m[1]);
const missing = [...used].filter((w) => !chinese.has(w));
// Words of the API (statuses, columns) are translated where they are shown, and stand nowhere.
const idle = [...chinese].filter((w) => !used.has(w) && !text.includes('"' + w + '"') && / /.test(w) && !/Last Seen/.test(w));
if (missing.length || idle.length) {
  console.error("words without Chinese:", missing, "Chinese of no words:", idle);
  process.exit(1);
}

// What the editor says in words of its own, but for what it never shows here: a merge that is accepted part by part.
const theirs = ["commands", "language", "merge", "search", "view"].flatMap((p) => [...readFileSync(join(import.meta.dirname, "node_modules/@codemirror", p, "dist/index.js"), "utf8").matchAll(/\bphrase\((?:view, |[\w.]+ \? "([^"]+)" : )?"([^"]+)"/g)].flatMap((m) => m.slice(1)).filter(Boolean));
const editor = readFileSync(join(src, "ui/editor.tsx"), "utf8");
const english = [...new Set(theirs)].filter((w) => !["Accept", "Reject", "Revert this chunk"].includes(w) && !editor.includes(`["${w}", t(`));
if (english.length) {
  console.error("the editor's words that are not translated:", english);
  process.exit(1);
}
