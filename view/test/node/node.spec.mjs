// What takes containers: logs, terminals, ports and usage, on a node that has them.
import { execFileSync } from "node:child_process";
import { join } from "node:path";
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

test("usage is what the kubelet says", async ({ page, view, api }) => {
  const [node] = (await api.get("/api/v1/nodes")).items;
  await show(page, `#/nodes/~/${node.metadata.name}/usage`);
  await expect(page.locator(".curve")).toHaveCount(2);
  await expect(page.locator("tr", { hasText: "talker" })).toContainText(/\d [KM]iB/);
});

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
    await expect(page.getByRole("log")).toContainText("line 3");
    await show(page, "#/pods/default/talker/ports?ns=default");
    await expect(page.getByText("kubectl port-forward -n default pod/talker :8080")).toBeVisible();
  });
});
