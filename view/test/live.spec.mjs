// What is shown is true, or says since when it is not.
import { spawn } from "node:child_process";
import { makePod, setState } from "./api.mjs";
import { answering, binary, plane } from "./setup.mjs";
import { enter, expect, row, show, test } from "./view.mjs";

test("Pods come, change and go while one looks", async ({ page, view, api }) => {
  await show(page, "#/pods?ns=shop&q=guest");
  await expect(page.getByText("Nothing passes the filter")).toBeVisible();
  const pod = await makePod(api, "shop", "guest-1", "worker-02", { state: "ContainerCreating" });
  await expect(row(page, "guest-1")).toContainText("ContainerCreating");
  await setState(api, pod, "Running");
  await expect(row(page, "guest-1")).toContainText("Running");
  await expect(row(page, "guest-1")).toContainText("1/1");
  await setState(api, pod, "CrashLoopBackOff", 4);
  await expect(row(page, "guest-1")).toContainText("CrashLoopBackOff");
  await api.delete("/api/v1/namespaces/shop/pods/guest-1?gracePeriodSeconds=0");
  await expect(row(page, "guest-1")).toHaveCount(0);
});

test("a server that restarts is found again, and until then the page says that it is not live", async ({ page, view, api }) => {
  await show(page, "#/pods?ns=shop");
  await expect(page.locator("nav .live")).toHaveText("Live");
  process.kill(Number(process.env.VIEW_RESTARTED ?? process.env.VIEW_PID), "SIGTERM");
  await expect(page.locator("nav .live")).toContainText("Not live since");
  await expect(row(page, "cart-").first()).toBeVisible(); // what was known is still shown
  const again = spawn(binary, plane(process.env.VIEW_DIR, process.env.VIEW_PORT), { stdio: "ignore", detached: true });
  again.unref();
  process.env.VIEW_RESTARTED = String(again.pid);
  await answering(process.env.VIEW_CONFIG);
  await expect(page.locator("nav .live")).toHaveText("Live");
  await makePod(api, "shop", "late-1", "worker-02");
  await show(page, "#/pods?ns=shop&q=late");
  await expect(row(page, "late-1")).toContainText("Running");
});

test("a page that is hidden watches nothing, and goes on where it was", async ({ page, view, api }) => {
  const open = [];
  await page.routeWebSocket(/\/ui\/streams/, (ws) => {
    const server = ws.connectToServer();
    ws.onMessage((m) => {
      const o = JSON.parse(m);
      if (o.Path) open.push(o);
      else open.splice(open.findIndex((x) => x.ID === o.ID), 1);
      server.send(m);
    });
  });
  await page.reload();
  await show(page, "#/pods?ns=search");
  await expect(page.locator("nav .live")).toHaveText("Live");
  await expect.poll(() => open.filter((o) => /\/pods\?/.test(o.Path)).length).toBe(1);
  const hide = (hidden) => page.evaluate((hidden) => {
    Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
    document.dispatchEvent(new Event("visibilitychange"));
  }, hidden);
  await hide(true);
  await expect.poll(() => open.length).toBe(0);
  await makePod(api, "search", "meanwhile-1", "worker-02");
  await hide(false);
  await show(page, "#/pods?ns=search&q=meanwhile");
  await expect(row(page, "meanwhile-1")).toBeVisible();
  const resumed = open.find((o) => /\/pods\?/.test(o.Path));
  expect(Number(new URLSearchParams(resumed.Path.split("?")[1]).get("resourceVersion"))).toBeGreaterThan(0);
});

test("leaving a page ends its watches", async ({ page, view }) => {
  const open = new Map();
  await page.routeWebSocket(/\/ui\/streams/, (ws) => {
    const server = ws.connectToServer();
    ws.onMessage((m) => {
      const o = JSON.parse(m);
      if (o.Path) open.set(o.ID, o.Path);
      else open.delete(o.ID);
      server.send(m);
    });
  });
  await page.reload();
  await show(page, "#/pods");
  await expect.poll(() => [...open.values()].filter((p) => p.startsWith("/api/v1/pods?")).length).toBe(1);
  await show(page, "#/forwards");
  await expect.poll(() => open.size).toBe(0);
});

test("many kinds at once are live over one connection", async ({ page, view }) => {
  await expect(page.locator("nav .live")).toHaveText("Live");
  let sockets = 0;
  page.on("websocket", () => sockets++);
  await page.reload();
  await show(page, "#/overview"); // eight kinds, more than a browser has connections
  await expect(page.locator("nav .live")).toHaveText("Live");
  await expect(page.locator(".figure").first()).toContainText("12");
  expect(sockets).toBe(1);
});

test("an address lets one browser in", async ({ browser, view, page }) => {
  const used = await page.evaluate(() => location.href);
  expect(used, "the secret is gone from the address").not.toContain("key=");
  const other = await (await browser.newContext()).newPage();
  await other.goto(new URL("/ui/", used).href);
  await expect(other.getByText("This browser has no session yet.")).toBeVisible();
  await other.goto(new URL("/ui/#key=AAAA", used).href);
  await expect(other.getByText("was used before")).toBeVisible();
  await enter(other);
  await other.close();
});
