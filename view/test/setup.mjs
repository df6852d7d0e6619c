// A control plane and a view of it, for all tests; or, where VIEW_KUBECONFIG names one, a view of a cluster that is there.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "./api.mjs";
import { fill } from "./fill.mjs";

export const binary = process.env.VIEW_PROGRAM ?? join(import.meta.dirname, "../../bin/coracle");

export const freePort = () => new Promise((done) => {
  const s = createServer().listen(0, "127.0.0.1", () => {
    const { port } = s.address();
    s.close(() => done(port));
  });
});

/** Runs a command until it has said what, and says where what it says is kept. */
export function start(args, said, log = []) {
  const child = spawn(binary, args, { stdio: ["ignore", "pipe", "pipe"] });
  return new Promise((done, fail) => {
    const hear = (data) => {
      log.push(String(data));
      if (said.test(log.join(""))) done({ child, log });
    };
    child.stdout.on("data", hear);
    child.stderr.on("data", hear);
    child.on("exit", (code) => fail(new Error(`coracle ${args[0]} ended with ${code}:\n${log.join("").slice(-2000)}`)));
  });
}

export const stop = (child) => new Promise((done) => {
  if (child.exitCode !== null) return done();
  child.on("exit", done);
  child.kill("SIGTERM");
});

/** The control plane's arguments: started again with them it is the same. */
export const plane = (dir, port) => ["server", "--no-node", "--ui", "--data-dir", dir, "--https-port", String(port), "--bind-address", "127.0.0.1", "--advertise-address", "127.0.0.1", "--node-monitor-grace-period", "240h"];

export async function answering(kubeconfig) {
  for (let left = 200; ; left--) {
    try {
      await connect(kubeconfig).get("/api/v1/namespaces/default");
      return;
    } catch (e) {
      if (!left) throw e;
      await new Promise((r) => setTimeout(r, 100));
    }
  }
}

export default async function setup() {
  const dir = mkdtempSync(join(tmpdir(), "coracle-view-test-"));
  const children = [];
  let kubeconfig = process.env.VIEW_KUBECONFIG, port = 0;
  if (!kubeconfig) {
    port = await freePort();
    kubeconfig = join(dir, "admin.conf");
    children.push(spawn(binary, plane(dir, port), { stdio: "ignore" }));
    await answering(kubeconfig);
    await fill(connect(kubeconfig));
  }
  // The tests' own place to look for addresses: each lets one browser in.
  const invitations = join(dir, "invitations");
  const ui = spawn(binary, ["ui", "--kubeconfig", kubeconfig, "--address", "127.0.0.1:0"], { stdio: ["ignore", "pipe", "inherit"] });
  children.push(ui);
  let said = "";
  await new Promise((done) => ui.stdout.on("data", (d) => {
    writeFileSync(invitations, (said += d));
    if (/#key=\w+\n/.test(said)) done();
  }));
  Object.assign(process.env, { VIEW_DIR: dir, VIEW_PORT: String(port), VIEW_PID: String(children[0].pid), VIEW_CONFIG: kubeconfig, VIEW_INVITATIONS: invitations });
  return async () => {
    for (const c of children.reverse()) await stop(c);
    // One that a test started again.
    if (process.env.VIEW_RESTARTED) process.kill(Number(process.env.VIEW_RESTARTED));
    rmSync(dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  };
}
