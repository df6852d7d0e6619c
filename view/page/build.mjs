// Builds the page into ../dist, file by file compressed by the program that its argument names (see view/pack). The names of all but index.html tell their content.
import { build } from "esbuild";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

const here = import.meta.dirname;
const out = process.argv[2] ?? join(here, "..", "dist");

const bundle = await build({
  absWorkingDir: here,
  entryPoints: { app: "src/main.tsx", style: "src/style.css" },
  outdir: "/ui", entryNames: "[name]-[hash]", chunkNames: "[name]-[hash]", assetNames: "[name]-[hash]",
  bundle: true, splitting: true, format: "esm", minify: true, write: false, metafile: true, legalComments: "none",
  target: ["chrome120", "firefox121", "safari17.4"], jsx: "automatic", jsxImportSource: "preact", charset: "utf8",
  define: { "process.env.NODE_ENV": '"production"' },
});

rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
const named = {};
for (const file of bundle.outputFiles) {
  const name = basename(file.path);
  writeFileSync(join(out, name), file.contents);
  named[name.replace(/-[A-Z0-9]+(?=\.\w+$)/, "")] = name;
}
const write = (name, content) => {
  const hash = createHash("sha256").update(content).digest("hex").slice(0, 8);
  const full = name.replace(".", `-${hash}.`);
  writeFileSync(join(out, full), content);
  return full;
};
const icon = write("icon.svg", readFileSync(join(here, "src/icon.svg")));
const entry = Object.values(bundle.metafile.outputs).find((o) => o.entryPoint === "src/main.tsx");
const preload = entry.imports.filter((i) => i.kind === "import-statement").map((i) => `<link rel="modulepreload" href="/ui/${basename(i.path)}">`);
writeFileSync(join(out, "index.html"), readFileSync(join(here, "src/index.html"), "utf8")
  .replace("APP", named["app.js"]).replace("STYLE", named["style.css"]).replace("ICON", icon).replace("PRELOAD", preload.join("")));
writeFileSync(join(out, "licences.txt"), licences(Object.keys(bundle.metafile.inputs)));

// licences are those of the packages that the bundle has parts of.
function licences(inputs) {
  const packages = new Map();
  for (const input of inputs) {
    const found = input.match(/^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//);
    if (found) packages.set(found[1], JSON.parse(readFileSync(join(here, found[1], "package.json"), "utf8")));
  }
  const texts = [...packages].sort(([a], [b]) => (a < b ? -1 : 1)).map(([dir, p]) => {
    const file = readdirSync(join(here, dir)).find((f) => /^licen[cs]e/i.test(f));
    const text = file ? readFileSync(join(here, dir, file), "utf8").trim() : `License: ${p.license}`;
    return `${p.name} ${p.version} (${p.license})\n\n${text}\n`;
  });
  return "The page contains parts of these packages.\n\n" + texts.join("\n" + "-".repeat(80) + "\n\n");
}
