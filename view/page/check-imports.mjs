// Fails where files import one another in a circle, types and what is fetched later among it.
import { readFileSync, readdirSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

const src = join(import.meta.dirname, "src");
const files = new Map(readdirSync(src, { recursive: true }).filter((f) => /\.tsx?$/.test(f)).map((f) => [f.replace(/\.tsx?$/, ""), readFileSync(join(src, f), "utf8")]));
const imports = (f) => [...files.get(f).matchAll(/(?:\bfrom|\bimport|\bimport\()\s*"(\.[^"]+)"/g)].map((m) => normalize(join(dirname(f), m[1]))).filter((to) => files.has(to));

/** A circle that begins somewhere in what path leads to, if there is one. */
function circle(path, done) {
  const here = path.at(-1), before = path.indexOf(here);
  if (before < path.length - 1) return path.slice(before);
  if (done.has(here)) return;
  for (const to of imports(here)) {
    const found = circle([...path, to], done);
    if (found) return found;
  }
  done.add(here);
}

const done = new Set();
for (const f of files.keys()) {
  const found = circle([f], done);
  if (found) {
    console.error("files import one another: " + found.join(" > "));
    process.exit(1);
  }
}
