// What must not happen.
import { createServer } from "node:http";
import { event, markup } from "./fill.mjs";
import { expect, row, show, test } from "./view.mjs";

test("markup in annotations, data and Events stays text", async ({ page, view, api }) => {
  await event(api, "shop", "cart-12", "Warning", "Markup", markup);
  await show(page, "#/configmaps/shop/markup");
  await expect(page.locator(".pairs", { hasText: "<img src=x" })).toBeVisible();
  await expect(page.locator(".data pre", { hasText: "<script>" })).toBeVisible();
  await show(page, "#/events");
  await expect(row(page, "<img src=x").first()).toBeVisible();
  await show(page, "#/overview");
  await expect(page.getByText("<img src=x").first()).toBeVisible();
  expect(await page.evaluate(() => [window.attacked, document.querySelectorAll("main img, main script").length])).toEqual([undefined, 0]);
});

test("links into the page with markup, scripts or other sites in them do nothing", async ({ page, view }) => {
  for (const route of ["#/<img src=x onerror=window.attacked=1>", "#/pods/shop/<script>window.attacked=1<%2Fscript>", "#javascript:window.attacked=1", "#//evil.example/", "#/pods?ns=<svg onload=window.attacked=1>", "#/pods/..%2F..%2F..%2Fmetrics/x", "#/%E0%A4%A"]) {
    await show(page, route);
    await page.waitForTimeout(150);
    expect(await page.evaluate(() => [window.attacked, location.pathname])).toEqual([undefined, "/ui/"]);
  }
});

test("another site can neither frame the page, nor ask with its session, nor open its streams", async ({ page, view, context }) => {
  const origin = await page.evaluate(() => location.origin);
  const evil = createServer((_, w) => w.setHeader("Content-Type", "text/html").end(`<!doctype html><iframe src="${origin}/ui/"></iframe>`));
  await new Promise((r) => evil.listen(0, "127.0.0.1", r));
  const other = await context.newPage(); // with the session's cookie, on another port of the same host
  await other.goto(`http://127.0.0.1:${evil.address().port}/`);
  const tried = await other.evaluate(async (origin) => {
    const ask = (path, o) => fetch(origin + path, { credentials: "include", ...o }).then((r) => "answered " + r.status, () => "refused");
    return {
      read: await ask("/api/v1/secrets"),
      simple: await ask("/api/v1/namespaces/shop/pods", { mode: "no-cors", method: "POST", body: "{}" }).then((x) => (x === "answered 0" ? "unseen" : x)),
      header: await ask("/api/v1/secrets", { headers: { "X-Coracle-View": "x" } }),
      socket: await new Promise((done) => {
        const s = new WebSocket(origin.replace("http", "ws") + "/ui/streams", "v1.view.coracle");
        s.onopen = () => done("open");
        s.onerror = () => done("refused");
      }),
    };
  }, origin);
  expect(tried.read).toBe("refused");
  expect(tried.header).toBe("refused");
  expect(tried.socket).toBe("refused");
  expect(["refused", "unseen"]).toContain(tried.simple);
  const frame = other.frames().find((f) => f !== other.mainFrame());
  expect(await frame.evaluate(() => document.querySelectorAll("nav").length).catch(() => 0)).toBe(0);
  evil.close();
  await other.close();
});

test("nothing is asked of anybody else, and no address has a secret", async ({ page, view }) => {
  const asked = [];
  page.on("request", (r) => asked.push(r.url()));
  await page.reload();
  for (const route of ["#/overview", "#/pods/shop/checkout-0", "#/deployments.apps/shop/storefront/yaml", "#/rights/who"]) {
    await show(page, route);
    await expect(page.locator("main h1")).toBeVisible();
    await page.waitForTimeout(300);
  }
  const origin = await page.evaluate(() => location.origin);
  const token = await page.evaluate(() => localStorage.getItem("coracle-view-token"));
  expect(asked.filter((u) => !u.startsWith(origin))).toEqual([]);
  expect(asked.filter((u) => u.includes(token) || /token=|key=/.test(u))).toEqual([]);
});
