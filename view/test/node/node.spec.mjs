// What takes containers: logs, terminals, ports and usage, on a node that has them.
import AxeBuilder from "@axe-core/playwright";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { keys, mouse, speaks } from "../hands.mjs";
import { binary } from "../setup.mjs";
import { expect, show, test } from "../view.mjs";

test.beforeAll(() => {
  const kubectl = (...args) => execFileSync(binary, ["kubectl", "--kubeconfig", process.env.VIEW_CONFIG, ...args], { stdio: "inherit" });
  kubectl("apply", "-f", join(import.meta.dirname, "pods.yaml"));
  kubectl("wait", "--for=condition=Ready", "pod/talker", "--timeout=120s");
});

test("a log is followed, its markup is text, and it is filtered", async ({ page, view }) => {
  await show(page, "#/pods/default/talker/logs");
  const log = page.getByRole("log");
  await expect(log).toContainText("<img src=x onerror=alert(1)> red");
  await expect(log).toContainText("line 3");
  const lines = page.locator(".toolbar .soft");
  const before = parseInt(await lines.innerText());
  await expect.poll(async () => parseInt(await lines.innerText())).toBeGreaterThan(before);
  await page.getByLabel("Filter lines").fill("line 1");
  await expect(log).not.toContainText("line 2");
});

test("a terminal runs commands, in colour, and says how they ended", async ({ page, view }) => {
  await show(page, "#/pods/default/talker/terminal");
  const screen = page.locator(".xterm-accessibility");
  await expect(screen).toContainText("#");
  await page.keyboard.type("echo $((6*7)) && printf '\\033[38;2;255;100;0morange\\033[0m\\n'\n");
  await expect(screen).toContainText("42");
  await expect(page.locator(".xterm-rows span", { hasText: /^orange$/ })).toHaveCSS("color", "rgb(255, 100, 0)");
  await page.keyboard.type("exit 3\n");
  await expect(page.locator(".toolbar [role=status]")).toContainText("exit code 3");
  await page.getByLabel("Command").fill("uname -s");
  await page.keyboard.press("Enter");
  await expect(screen).toContainText("Linux");
  await expect(page.locator(".toolbar [role=status]")).toContainText("It has ended");
});

test("a port is forwarded until it is stopped", async ({ page, view }) => {
  await show(page, "#/pods/default/talker/ports");
  await page.locator("li", { hasText: "8080" }).getByRole("button", { name: "Forward" }).click();
  const link = page.locator(".forwards a").first();
  const address = await link.getAttribute("href");
  expect(new URL(address).hostname, "not where the page's cookie goes").not.toBe(new URL(page.url()).hostname);
  expect(await (await fetch(address)).text()).toContain("hello from a Pod");
  await show(page, "#/forwards");
  await page.getByRole("button", { name: "Stop" }).click();
  await expect(page.getByText("None. A Pod's page has its ports.")).toBeVisible();
  await expect(fetch(address)).rejects.toThrow();
});

test("a workload's logs are those of its Pods", async ({ page, view, api }) => {
  const container = { name: "main", image: "busybox", imagePullPolicy: "Never", command: ["sh", "-c", "echo I am $HOSTNAME; sleep 3600"] };
  await api.post("/apis/apps/v1/namespaces/default/deployments", { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "choir" }, spec: { replicas: 2, selector: { matchLabels: { app: "choir" } }, template: { metadata: { labels: { app: "choir" } }, spec: { terminationGracePeriodSeconds: 0, containers: [container] } } } });
  await show(page, "#/deployments.apps/default/choir/logs");
  const choice = page.getByLabel("Pod", { exact: true });
  await expect(choice.locator("option")).toHaveCount(2);
  for (const name of await choice.locator("option").allInnerTexts()) {
    await choice.selectOption(name);
    await expect(page.getByRole("log")).toContainText("I am " + name);
  }
});

const theNode = async (api) => (await api.get("/api/v1/nodes")).items[0].metadata.name;
const history = (api, node, query = "") => api.get(`/api/v1/nodes/${node}/proxy/stats/history${query}`);

/** When figures begin, as the page says it. */
const begins = (h, figures) => new Date(h.times[figures.usageNanoCores.findIndex((x) => x !== null)]).toLocaleTimeString("en-GB");

/** What the page says over its WebSocket, from now on. */
async function orders(page) {
  const said = [];
  page.on("websocket", (s) => s.on("framesent", (f) => said.push(JSON.parse(f.payload))));
  await page.reload();
  const open = () => said.filter((o) => o.Path?.includes("/stats/") && !said.some((x) => x.ID === o.ID && !x.Path));
  return { said, open };
}

test("usage is what the kubelet says", async ({ page, view, api }) => {
  await show(page, `#/nodes/~/${await theNode(api)}/usage`);
  await expect(page.locator(".curve")).toHaveCount(2);
  await expect(page.locator("tr", { hasText: "talker" })).toContainText(/\d [KM]iB/);
  await expect(page.locator(".card", { hasText: "Processors" }).first(), "a machine that does this is not idle").not.toContainText(/^Processors0 m/);
  await page.locator("tr", { hasText: "talker" }).getByRole("link").click();
  await expect(page.getByRole("heading", { level: 1 })).toContainText("talker");
  await expect(page.locator(".curve")).toHaveCount(2);
  await expect(page.locator(".card", { hasText: "Memory" })).toContainText(/\d [KM]iB/);
});

test("usage is of the hour before one looks, and goes on without being asked for", async ({ page, view, api }) => {
  test.setTimeout(240_000);
  const node = await theNode(api), figures = async () => (await history(api, node)).node.usageNanoCores.filter((x) => x !== null).length;
  // Nobody has looked yet, and minutes go by.
  await expect.poll(figures, { timeout: 150_000, message: "how many minutes the kubelet remembers" }).toBeGreaterThan(1);
  const asked = [];
  page.on("request", (r) => /\/stats\//.test(r.url()) && asked.push(r.url()));
  const told = await history(api, node);
  await show(page, `#/nodes/~/${node}/usage`);
  const curve = page.locator(".curve").first(), label = () => curve.getAttribute("aria-label");
  await expect(page.getByText("as the kubelet remembers it")).toBeVisible();
  expect(await label()).toContain("From " + begins(told, told.node));
  await expect(page.locator(".live").first()).toHaveText("Live");
  for (let more = 0, before = await label(); more < 2; more++, before = await label()) await expect.poll(label, { timeout: 20_000, message: "what is told while one looks" }).not.toBe(before);
  const uid = (await api.get("/api/v1/namespaces/default/pods/talker")).metadata.uid, of = await history(api, node, "?pod=" + uid);
  expect(of.pods.map((p) => p.name)).toEqual(["talker"]);
  await show(page, "#/pods/default/talker/usage");
  await expect.poll(label).toContain("From " + begins(of, of.pods[0]));
  expect(asked, "what was asked for beside the stream").toEqual([]);
});

test("usage is streamed of what one looks at only", async ({ page, view, api }) => {
  const node = await theNode(api), { said, open } = await orders(page);
  for (const [route, sign] of [["#/overview", ".tile"], ["#/nodes", ".runway > .row"], ["#/nodes?as=map", ".tile"], ["#/pods", ".runway > .row"], ["#/nodes/~/" + node, ".card"], ["#/pods/default/talker", ".card"]]) {
    await show(page, route);
    await expect(page.locator(sign).first()).toBeVisible();
  }
  expect(said.filter((o) => o.Path?.includes("/stats/"))).toEqual([]);
  await show(page, `#/nodes/~/${node}/usage`);
  await expect(page.locator(".curve")).toHaveCount(2);
  expect(open().map((o) => o.Path)).toEqual([`/api/v1/nodes/${node}/proxy/stats/history?watch=true`]);
  await show(page, "#/nodes");
  await expect.poll(() => open().length, "streams a while after one has left").toBe(0);
});

test("a kubelet that remembers nothing is asked while one looks, and the page says so", async ({ page, view, api }) => {
  // As one of an older version answers.
  await page.routeWebSocket(/\/ui\/streams/, (ws) => {
    const server = ws.connectToServer();
    ws.onMessage((m) => {
      const { ID, Path } = JSON.parse(m);
      if (!Path?.includes("/stats/history")) return server.send(m);
      const head = Buffer.alloc(5);
      head.writeUInt32BE(ID);
      ws.send(Buffer.concat([head, Buffer.from("404404 page not found")]));
    });
  });
  await page.reload();
  await show(page, `#/nodes/~/${await theNode(api)}/usage`);
  await expect(page.getByText("Only since one looks")).toBeVisible();
  await expect(page.locator(".curve")).toHaveCount(2);
  await expect(page.locator("tr", { hasText: "talker" })).toContainText(/\d [KM]iB/);
});

for (const hand of ["mouse", "keys"]) for (const width of [1600, 400]) for (const theme of ["light", "dark"]) for (const language of ["en", "zh"]) {
  test(`what containers take by ${hand} at ${width} pixels, ${theme}, ${language}`, async ({ page, view, api }) => {
    const say = speaks(language), { press, write, choose } = { mouse, keys }[hand](page);
    const button = (name) => page.getByRole("button", { name: say(name), exact: true }), tab = (name) => press(page.locator(".tabs").getByRole("link", { name: say(name), exact: true }));
    await page.setViewportSize({ width, height: width === 400 ? 800 : 900 });
    await page.evaluate(([theme, language]) => {
      localStorage.setItem("coracle-view-theme", theme);
      localStorage.setItem("coracle-view-language", language);
    }, [theme, language]);
    await page.reload();
    const look = async (name) => {
      expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), "how far it scrolls sideways").toBeLessThanOrEqual(0);
      if (hand === "mouse") expect.soft((await new AxeBuilder({ page }).analyze()).violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html.slice(0, 160)).slice(0, 3).join(" | ")}`), name).toEqual([]);
      if (hand === "mouse") await page.screenshot({ path: `../../bin/view/${name}-${width}-${theme}-${language}.png` });
    };
    await show(page, "#/pods/default/talker");
    await tab("Logs");
    const log = page.getByRole("log");
    await expect(log).toContainText(/line \d+/);
    await look("logs");
    await press(button("Times"));
    await expect(log).toContainText(/20\d\d-\d\d-\d\d/);
    await press(button("Wrap"));
    await write(page.getByLabel(say("Filter lines")), "line 1");
    await expect(log).not.toContainText("line 2");
    const saved = page.waitForEvent("download");
    await press(button("Save"));
    expect((await saved).suggestedFilename()).toBe("talker-main.log");
    await choose(page.getByLabel(say("Container"), { exact: true }), "web");
    await expect(page.getByText(say("It has said nothing yet"))).toBeVisible();
    await press(button("Before the last restart"));
    await expect(page.getByRole("alert")).toContainText("previous terminated container");
    await tab("Terminal");
    const screen = page.locator(".xterm-accessibility");
    await expect(screen).toContainText("#");
    await page.keyboard.type("echo $((6*7))\n");
    await expect(screen).toContainText("42");
    await look("terminal");
    if (hand === "keys") await page.keyboard.press("Control+Shift+ArrowLeft");
    await write(page.getByLabel(say("Command")), "uname -s");
    await press(button("Run"));
    await expect(screen).toContainText("Linux");
    if (hand === "keys") await page.keyboard.press("Control+Shift+ArrowLeft");
    await tab("Ports");
    await press(page.locator("li", { hasText: "8080" }).getByRole("button", { name: say("Forward") }));
    const link = page.locator(".forwards a").first(), address = await link.getAttribute("href");
    expect(await (await fetch(address)).text()).toContain("hello from a Pod");
    await look("forwarded");
    // Who else looks at them sees it end, without asking.
    const other = await page.context().newPage();
    await other.goto(page.url().replace(/#.*/, "#/forwards"));
    await expect(other.locator(".forwards li")).toHaveCount(1);
    await press(button("Stop"));
    await expect(other.locator(".forwards li")).toHaveCount(0);
    await other.close();
    await expect(fetch(address)).rejects.toThrow();
    await write(page.getByLabel(say("Port of the Pod")), "8080");
    await press(page.locator("form").getByRole("button", { name: say("Forward") }));
    await press(page.locator("body > nav ul").getByRole("link", { name: say("Forwards"), exact: true }));
    await expect(page.locator(".forwards li")).toHaveCount(1);
    await press(button("Stop"));
    await expect(page.getByText(say("None. A Pod's page has its ports."))).toBeVisible();
    const [node] = (await api.get("/api/v1/nodes")).items;
    await show(page, "#/nodes/~/" + node.metadata.name);
    await tab("Usage");
    await expect(page.locator(".curve")).toHaveCount(2);
    await look("usage");
    await press(page.locator("tr", { hasText: "talker" }).getByRole("link"));
    await expect(page.locator(".curve")).toHaveCount(2);
    await look("usage-of-a-pod");
  });
}

test.describe("at the server", () => {
  test.use({ ignoreHTTPSErrors: true });

  test("a terminal runs by the token of who is signed in", async ({ page, api }) => {
    await api.post("/api/v1/namespaces/default/serviceaccounts", { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "editor" } });
    await api.post("/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings", { apiVersion: "rbac.authorization.k8s.io/v1", kind: "RoleBinding", metadata: { name: "editor" }, roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "edit" }, subjects: [{ kind: "ServiceAccount", namespace: "default", name: "editor" }] });
    const { token } = (await api.post("/api/v1/namespaces/default/serviceaccounts/editor/token", { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: {} })).status;
    await page.goto(api.server + "/ui/");
    await page.getByLabel("Token", { exact: true }).fill(token);
    await page.keyboard.press("Enter");
    await show(page, "#/pods/default/talker/terminal?ns=default");
    const screen = page.locator(".xterm-accessibility");
    await expect(screen).toContainText("#");
    await page.keyboard.type("echo $((6*7))\n");
    await expect(screen).toContainText("42");
    await show(page, "#/pods/default/talker/logs?ns=default");
    await expect(page.getByRole("log")).toContainText(/line \d+/);
    await show(page, "#/pods/default/talker/ports?ns=default");
    await expect(page.getByText("kubectl port-forward -n default pod/talker :8080")).toBeVisible();
  });

  test("who may not ask the kubelet sees the latest figure, and why not the hour", async ({ page, api }) => {
    await api.post("/api/v1/namespaces/default/serviceaccounts", { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "viewer" } });
    await api.post("/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings", { apiVersion: "rbac.authorization.k8s.io/v1", kind: "RoleBinding", metadata: { name: "viewer" }, roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "view" }, subjects: [{ kind: "ServiceAccount", namespace: "default", name: "viewer" }] });
    const rule = (name, group, resources) => api.post("/apis/rbac.authorization.k8s.io/v1/clusterroles", { apiVersion: "rbac.authorization.k8s.io/v1", kind: "ClusterRole", metadata: { name }, rules: [{ apiGroups: [group], resources, verbs: ["get", "list", "watch"] }] });
    await rule("test-nodes", "", ["nodes"]);
    await rule("test-node-metrics", "metrics.k8s.io", ["nodes"]);
    const bind = (role) => api.post("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", { apiVersion: "rbac.authorization.k8s.io/v1", kind: "ClusterRoleBinding", metadata: { name: role }, roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: role }, subjects: [{ kind: "ServiceAccount", namespace: "default", name: "viewer" }] });
    await bind("test-nodes");
    const { token } = (await api.post("/api/v1/namespaces/default/serviceaccounts/viewer/token", { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: {} })).status;
    const asked = [];
    page.on("request", (r) => /\/proxy\/stats\//.test(r.url()) && asked.push(r.url()));
    await page.goto(api.server + "/ui/");
    await page.getByLabel("Token", { exact: true }).fill(token);
    await page.keyboard.press("Enter");
    await show(page, "#/pods/default/talker/usage?ns=default");
    await expect(page.locator(".card", { hasText: "Memory" })).toContainText(/\d [KM]iB/);
    await expect(page.getByText("The hour before it is told by the node's kubelet, which you may not ask: it needs get on nodes/proxy.")).toBeVisible();
    await page.getByRole("button", { name: "Measure again" }).click();
    await expect(page.locator(".card", { hasText: "Memory" })).toContainText(/\d [KM]iB/);
    const node = await theNode(api);
    await show(page, `#/nodes/~/${node}/usage`);
    await expect(page.getByRole("alert")).toContainText("The latest figure needs get on nodes.metrics.k8s.io.");
    await bind("test-node-metrics");
    await page.reload();
    await show(page, `#/nodes/~/${node}/usage`);
    await expect(page.locator(".card", { hasText: "Memory" })).toContainText(/\d(\.\d)? GiB/);
    expect(asked, "what the kubelet was asked").toEqual([]);
  });
});
