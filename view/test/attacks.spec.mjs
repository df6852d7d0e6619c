// What must not happen.
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { event, markup } from "./fill.mjs";
import { start, stop } from "./setup.mjs";
import { expect, invitation, row, show, test } from "./view.mjs";

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

test("markup in the names of roles and of who they are for stays text", async ({ page, view, api }) => {
  const rbac = "/apis/rbac.authorization.k8s.io/v1/", group = "rbac.authorization.k8s.io", name = "<img src=x onerror=window.attacked=1>";
  await api.post(rbac + "clusterroles", { apiVersion: group + "/v1", kind: "ClusterRole", metadata: { name }, rules: [{ apiGroups: [""], resources: ["pods"], verbs: ["delete"] }] });
  await api.post(rbac + "clusterrolebindings", { apiVersion: group + "/v1", kind: "ClusterRoleBinding", metadata: { name }, roleRef: { apiGroup: group, kind: "ClusterRole", name }, subjects: [{ apiGroup: group, kind: "User", name: markup }] });
  for (const route of ["#/rights/who", "#/clusterroles." + group, "#/clusterroles." + group + "/~/" + encodeURIComponent(name), "#/clusterroles." + group + "/~/" + encodeURIComponent(name) + "/yaml"]) {
    await show(page, route);
    await expect(page.locator("main").getByText("<img src=x").first()).toBeVisible();
  }
  await page.keyboard.press("Control+k");
  await page.keyboard.type("<img");
  await expect(page.getByRole("dialog")).toBeVisible();
  expect(await page.evaluate(() => [window.attacked, document.querySelectorAll("img, body script").length])).toEqual([undefined, 0]);
  for (const kind of ["clusterrolebindings", "clusterroles"]) await api.delete(rbac + kind + "/" + encodeURIComponent(name));
});

test("another site cannot use an invitation up, nor enter with one", async ({ page, view, context }) => {
  const origin = await page.evaluate(() => location.origin), key = invitation().split("#key=")[1];
  const evil = createServer((_, w) => w.setHeader("Content-Type", "text/html").end("<!doctype html>"));
  await new Promise((r) => evil.listen(0, "127.0.0.1", r));
  const other = await context.newPage();
  await other.goto(`http://localhost:${evil.address().port}/`);
  await other.evaluate(async ([origin, body]) => {
    for (const o of [{ mode: "no-cors" }, { headers: { "Content-Type": "application/json", "X-Coracle-View": "enter" } }, { mode: "no-cors", credentials: "include" }]) await fetch(origin + "/ui/session", { method: "POST", body, ...o }).catch(() => {});
    const form = document.body.appendChild(document.createElement("form"));
    Object.assign(form, { method: "post", action: origin + "/ui/session", enctype: "text/plain" });
    const field = form.appendChild(document.createElement("input"));
    Object.assign(field, { name: body.slice(0, -1) + ',"x":"', value: '"}' });
    form.submit();
  }, [origin, JSON.stringify({ Key: key })]);
  await other.waitForTimeout(500);
  await other.close();
  evil.close();
  expect(invitation().split("#key=")[1], "it is still to be used").toBe(key);
});

test.describe("who may only read", () => {
  test("changes nothing by any way through coracle ui, either", async ({ page, api }) => {
    const token = await reader(api), text = readFileSync(process.env.VIEW_CONFIG, "utf8"), kubeconfig = join(process.env.VIEW_DIR, "reader.conf");
    writeFileSync(kubeconfig, text.replace(/client-certificate-data: .*\n\s*client-key-data: .*/, "token: " + token));
    const { child, log } = await start(["ui", "--kubeconfig", kubeconfig], /#key=\w+\n/);
    try {
      await page.goto(log.join("").match(/http:\S+/)[0]);
      await show(page, "#/pods?ns=shop");
      await expect(row(page, "cart-").first()).toBeVisible();
      const before = await versions(api);
      expect(await page.evaluate(attempts, "local")).toEqual([]);
      expect(await page.evaluate(() => window.tried)).toBeGreaterThan(200);
    expect(await versions(api)).toEqual(before);
      const token = await page.evaluate(() => localStorage.getItem("coracle-view-token"));
      const forward = await page.evaluate((token) => fetch("/ui/forwards", { method: "POST", headers: { "X-Coracle-View": token }, body: '{"namespace":"shop","pod":"cart-12","port":8080}' }).then(async (r) => [r.status, await r.text()]), token);
      expect(forward[0]).toBe(502);
      expect(forward[1]).toMatch(/forbidden|portforward/);
    } finally {
      await stop(child);
    }
  });

  test("changes nothing by any way at the server", async ({ browser, api }) => {
    const page = await (await browser.newContext({ ignoreHTTPSErrors: true })).newPage(), asked = [];
    page.on("request", (r) => asked.push(r.url()));
    const token = await reader(api);
    await page.goto(`https://127.0.0.1:${process.env.VIEW_PORT}/ui/`);
    await page.getByLabel("Token", { exact: true }).fill(token);
    await page.keyboard.press("Enter");
    await show(page, "#/pods?ns=shop");
    await expect(row(page, "cart-").first()).toBeVisible();
    const before = await versions(api);
    expect(await page.evaluate(attempts, "server")).toEqual([]);
    expect(await page.evaluate(() => window.tried)).toBeGreaterThan(200);
    expect(await versions(api)).toEqual(before);
    expect(asked.filter((u) => u.includes(token.slice(0, 20)))).toEqual([]);
    await page.close();
  });
});

async function reader(api) {
  await api.post("/api/v1/namespaces/shop/serviceaccounts", { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "reads" } }).catch(() => {});
  await api.post("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", { apiVersion: "rbac.authorization.k8s.io/v1", kind: "ClusterRoleBinding", metadata: { name: "reads" }, roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "view" }, subjects: [{ kind: "ServiceAccount", namespace: "shop", name: "reads" }] }).catch(() => {});
  return (await api.post("/api/v1/namespaces/shop/serviceaccounts/reads/token", { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: {} })).status.token;
}

/** The versions of what could have been changed. */
async function versions(api) {
  const of = async (path) => (await api.get(path)).items.map((o) => o.metadata.name + " " + o.metadata.resourceVersion);
  return Promise.all(["/api/v1/namespaces/shop/pods", "/api/v1/namespaces/shop/configmaps", "/api/v1/namespaces/shop/secrets", "/apis/apps/v1/namespaces/shop/deployments", "/api/v1/namespaces", "/apis/rbac.authorization.k8s.io/v1/clusterroles"].map(of));
}

/** Tries, in the page, all that changes something: every verb on every resource that the API has, and ways around verbs. It returns
 * what was not refused. */
async function attempts(mode) {
  const token = mode === "local" ? localStorage.getItem("coracle-view-token") : sessionStorage.getItem("coracle-view-token");
  const h = mode === "local" ? { "X-Coracle-View": token } : { Authorization: "Bearer " + token };
  const ask = async (method, path, o = {}) => (window.tried = (window.tried ?? 0) + 1, await fetch(path, { method, body: method === "GET" ? undefined : "{}", ...o, headers: { ...h, "Content-Type": "application/json", ...o.headers } })).status;
  const passed = [], discovery = { Accept: "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList" };
  const groups = (await Promise.all(["/api", "/apis"].map((p) => fetch(p, { headers: { ...h, ...discovery } }).then((r) => r.json())))).flatMap((l) => l.items);
  for (const g of groups) for (const v of g.versions) for (const r of v.resources) {
    const base = (g.metadata?.name ? `/apis/${g.metadata.name}/` : "/api/") + v.version + (r.scope === "Namespaced" ? "/namespaces/shop/" : "/") + r.resource;
    const all = [...(r.verbs ?? []).map((verb) => [verb, verb === "create" || verb === "deletecollection" ? base : base + "/cart-12"]), ...(r.subresources ?? []).flatMap((s) => (s.verbs ?? []).map((verb) => [verb, `${base}/cart-12/${s.subresource}`]))];
    for (const [verb, path] of all) {
      const method = { create: "POST", update: "PUT", patch: "PATCH", delete: "DELETE", deletecollection: "DELETE" }[verb];
      if (!method || /selfsubject/.test(path)) continue; // what one asks about oneself changes nothing
      const status = await ask(method, path, { headers: { "Content-Type": method === "PATCH" ? "application/merge-patch+json" : "application/json" } });
      // coracle ui passes no proxy on at all.
      if (status !== 403 && !(status === 404 && mode === "local" && /\/proxy$/.test(path))) passed.push(`${method} ${path}: ${status}`);
    }
  }
  const pod = "/api/v1/namespaces/shop/pods/cart-12";
  for (const name of ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"]) await ask("GET", pod, { headers: { [name]: "DELETE" } });
  await ask("GET", pod + "?_method=DELETE&method=DELETE&dryRun=");
  for (const who of [{ "Impersonate-User": "system:admin", "Impersonate-Group": "system:masters" }, { "X-Remote-User": "admin", "X-Remote-Group": "system:masters" }]) {
    const status = await ask("DELETE", pod, { headers: who });
    if (status !== 403) passed.push(`as ${JSON.stringify(who)}: ${status}`);
  }
  for (const path of [pod + "/exec?command=sh&stdout=1", pod + "/attach?stdout=1", pod + "/portforward?ports=80"]) {
    const u = new URL(path, location.origin.replace("http", "ws"));
    const protocol = mode === "local" ? "token.view.coracle." + token : "base64url.bearer.authorization.k8s.io." + btoa(token).replace(/=+$/, "");
    const open = await new Promise((done) => {
      const s = new WebSocket(u, ["v5.channel.k8s.io", "v4.channel.k8s.io", protocol]);
      s.onopen = () => done(true);
      s.onerror = () => done(false);
    });
    if (open) passed.push(path);
  }
  return passed;
}
