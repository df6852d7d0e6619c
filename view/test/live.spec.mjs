// What is shown is true, or says since when it is not.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
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
  await expect(row(page, "cart-").first()).toBeVisible(); // until then it is another page that is live
  await expect(page.locator("nav .live")).toHaveText("Live");
  const old = Number(process.env.VIEW_RESTARTED ?? process.env.VIEW_PID);
  process.kill(old, "SIGTERM");
  await expect(page.locator("nav .live")).toContainText("Not live since");
  await expect(row(page, "cart-").first()).toBeVisible(); // what was known is still shown
  await expect.poll(() => existsSync("/proc/" + old), "the old one has ended").toBe(false);
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
  await show(page, "#/apply?ns=shop");
  await expect.poll(() => [...open.values()].filter((p) => !p.startsWith("/api/v1/namespaces?"))).toEqual([]); // which are chosen from
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

/** Lets a test see what the page asks its watches for, and speak in the server's place. */
async function between(page) {
  const seen = { asked: [], open: new Map(), sockets: [], lists: [] };
  await page.routeWebSocket(/\/ui\/streams/, (ws) => {
    const server = ws.connectToServer();
    seen.sockets.push({ ws, server });
    ws.onMessage((m) => {
      const o = JSON.parse(m);
      if (o.Path) seen.asked.push(o), seen.open.set(o.ID, o.Path);
      else seen.open.delete(o.ID);
      server.send(m);
    });
  });
  page.on("request", (r) => /^\/(api|apis|ui\/(session|forwards))/.test(new URL(r.url()).pathname) && seen.lists.push(r.method() + " " + r.url().replace(/^https?:\/\/[^/]+/, "")));
  seen.of = (kind) => [...seen.open].find(([, p]) => p.startsWith(kind + "?"));
  return seen;
}

const shopPods = "/api/v1/namespaces/shop/pods";

test("a watch that is lost goes on where it was, and nothing is listed again", async ({ page, view, api }) => {
  const seen = await between(page);
  await page.reload();
  await show(page, "#/pods?ns=shop&q=lost");
  await expect.poll(() => seen.of(shopPods)).toBeTruthy();
  await expect(page.locator("nav .live")).toHaveText("Live");
  seen.lists.length = seen.asked.length = 0;
  await makePod(api, "shop", "lost-1", "worker-02");
  await expect(row(page, "lost-1")).toBeVisible();
  await seen.sockets.at(-1).ws.close();
  await makePod(api, "shop", "lost-2", "worker-02");
  await expect(row(page, "lost-2")).toBeVisible();
  await expect(page.locator("nav .live")).toHaveText("Live");
  const again = seen.asked.filter((o) => o.Path.startsWith(shopPods + "?"));
  expect(again.length).toBe(1);
  expect(Number(new URLSearchParams(again[0].Path.split("?")[1]).get("resourceVersion"))).toBeGreaterThan(0);
  expect(seen.lists.filter((p) => p.includes(shopPods))).toEqual([]);
});

test("a watch that has expired is begun anew, with what came meanwhile", async ({ page, view, api }) => {
  const seen = await between(page);
  await page.reload();
  await show(page, "#/pods?ns=shop&q=expired");
  await expect.poll(() => seen.of(shopPods)).toBeTruthy();
  await expect(page.locator("nav .live")).toHaveText("Live");
  const gone = await makePod(api, "shop", "expired-1", "worker-02");
  await expect(row(page, "expired-1")).toBeVisible();
  seen.lists.length = 0;
  const [id] = seen.of(shopPods), head = Buffer.alloc(5);
  head.writeUInt32BE(id);
  head[4] = 1;
  seen.sockets.at(-1).ws.send(Buffer.concat([head, Buffer.from(JSON.stringify({ type: "ERROR", object: { kind: "Status", code: 410, reason: "Expired", message: "too old resource version" } }) + "\n")]));
  await expect.poll(() => seen.lists.filter((p) => p.startsWith("GET " + shopPods)).length).toBe(1);
  await api.delete(shopPods + "/expired-1?gracePeriodSeconds=0");
  await expect(row(page, gone.metadata.name)).toHaveCount(0);
  await expect(page.locator("nav .live")).toHaveText("Live");
});

test("nothing is asked again and again", async ({ page, view }) => {
  test.slow();
  const seen = await between(page);
  await page.reload();
  for (const route of ["#/overview", "#/nodes", "#/workloads", "#/pods", "#/events", "#/network", "#/rights", "#/rights/who", "#/forwards", "#/kinds", "#/deployments.apps/shop/storefront/rollout", "#/pods/shop/checkout-0", "#/configmaps/shop/markup/yaml"]) {
    await show(page, route);
    await expect(page.locator("main h1")).toBeVisible();
    await page.waitForTimeout(3500); // until what was left is no longer watched, and what is new is
    seen.lists.length = seen.asked.length = 0;
    await page.waitForTimeout(2500);
    expect([...seen.lists, ...seen.asked], route).toEqual([]);
  }
});

test("a node's Pods are counted as the API has them, and shown on its page", async ({ page, view, api }) => {
  await show(page, "#/nodes");
  const there = async () => (await api.get("/api/v1/pods?fieldSelector=spec.nodeName%3Dworker-03")).items.map((p) => p.metadata.name).sort();
  const count = page.locator(".runway > .row", { hasText: "worker-03" }).locator(".cell").nth(2);
  await expect.poll(async () => Number(await count.innerText()) - (await there()).length).toBe(0);
  await page.locator(".runway > .row", { hasText: "worker-03" }).locator(".name").click();
  await page.locator(".tabs").getByRole("link", { name: "Pods" }).click();
  await expect.poll(async () => (await page.locator(".runway .name").allInnerTexts()).sort()).toEqual(await there());
});

test("a kind that was not known when one came is shown, watched and applied to like all", async ({ page, view, api }) => {
  await api.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", {
    apiVersion: "apiextensions.k8s.io/v1", kind: "CustomResourceDefinition", metadata: { name: "boats.harbour.example" },
    spec: { group: "harbour.example", scope: "Cluster", names: { plural: "boats", singular: "boat", kind: "Boat", listKind: "BoatList" }, versions: [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema: { type: "object", properties: { spec: { type: "object", properties: { oars: { type: "integer" } } } } } } }] },
  });
  await expect(async () => {
    await show(page, "#/overview");
    await show(page, "#/kinds");
    await expect(page.getByRole("link", { name: "Boat" })).toBeVisible({ timeout: 1500 });
  }).toPass({ timeout: 20_000 });
  await page.getByRole("link", { name: "Boat" }).click();
  await expect(page.getByText("There are none")).toBeVisible();
  await api.post("/apis/harbour.example/v1/boats", { apiVersion: "harbour.example/v1", kind: "Boat", metadata: { name: "coracle" }, spec: { oars: 1 } });
  await row(page, "coracle").locator(".name").click();
  await page.locator(".tabs").getByRole("link", { name: "YAML" }).click();
  await page.getByRole("button", { name: "Edit" }).click();
  await page.locator(".cm-line", { hasText: "oars: 1" }).click();
  await page.keyboard.press("End");
  await page.keyboard.type("2");
  await page.getByRole("button", { name: "Review" }).click();
  await page.getByRole("checkbox").check();
  await page.getByRole("button", { name: "Review" }).click();
  await expect(page.locator(".cm-deletedChunk")).toContainText("oars: 1");
  await page.getByRole("button", { name: "Apply" }).click();
  await expect.poll(async () => (await api.get("/apis/harbour.example/v1/boats/coracle")).spec.oars).toBe(12);
});
