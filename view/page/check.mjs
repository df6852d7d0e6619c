// Runs the tests of what needs no browser.
import { build } from "esbuild";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const tests = join(import.meta.dirname, "src/tests"), out = mkdtempSync(join(tmpdir(), "coracle-view-"));
await build({ entryPoints: readdirSync(tests).map((f) => join(tests, f)), outdir: out, outExtension: { ".js": ".mjs" }, bundle: true, platform: "node", format: "esm", logLevel: "warning" });
const ran = spawnSync(process.execPath, ["--test", "--test-reporter=dot", out], { stdio: "inherit" });
rmSync(out, { recursive: true });
process.exit(ran.status ?? 1);
