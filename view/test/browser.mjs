// A browser that is driven by little: Playwright has it keep all answers, up to 200 MB of them, which would be measured as the page's.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Opens an address in a browser of its own. What evaluate is given is run in the page. */
export async function open(url, width, height) {
  const dir = mkdtempSync(join(tmpdir(), "coracle-browser-"));
  const args = ["--headless", "--no-sandbox", "--remote-debugging-pipe", "--user-data-dir=" + dir, `--window-size=${width},${height}`, "--disable-extensions", "--no-first-run", "about:blank"];
  const child = spawn(process.env.CHROMIUM ?? "/usr/bin/chromium", args, { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
  const waiting = new Map();
  let last = 0, rest = "";
  child.stdio[4].setEncoding("utf8").on("data", (data) => {
    const messages = (rest + data).split("\0");
    rest = messages.pop();
    for (const m of messages.map((m) => JSON.parse(m))) waiting.get(m.id)?.(m);
  });
  const send = (method, params = {}, sessionId) => new Promise((done, fail) => {
    const id = ++last;
    waiting.set(id, (m) => {
      waiting.delete(id);
      if (m.error) fail(new Error(`${method}: ${m.error.message}`));
      else done(m.result);
    });
    child.stdio[3].write(JSON.stringify({ id, method, params, sessionId }) + "\0");
  });
  const { targetInfos } = await send("Target.getTargets");
  const { sessionId } = await send("Target.attachToTarget", { targetId: targetInfos.find((t) => t.type === "page").targetId, flatten: true });
  const evaluate = async (f, ...args) => {
    const { result, exceptionDetails } = await send("Runtime.evaluate", { expression: `(${f})(...${JSON.stringify(args)})`, awaitPromise: true, returnByValue: true }, sessionId);
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  };
  await send("Page.navigate", { url }, sessionId);
  return {
    evaluate,
    wheel: (x, y, deltaY) => send("Input.dispatchMouseEvent", { type: "mouseWheel", x, y, deltaX: 0, deltaY }, sessionId),
    /** Waits until f is true in the page. */
    async until(f, what, patience = 60_000) {
      for (const end = Date.now() + patience; !(await evaluate(f)); ) {
        if (Date.now() > end) throw new Error("waited in vain until " + what);
        await new Promise((r) => setTimeout(r, 100));
      }
    },
    async close() {
      const ended = new Promise((r) => child.once("exit", r));
      await send("Browser.close").catch(() => {});
      await ended;
      rmSync(dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    },
  };
}
