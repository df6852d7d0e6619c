// What can be done, by mouse and by keys.
import { makePod } from "./api.mjs";
import { expect, show, test } from "./view.mjs";

test("a Deployment is scaled, restarted, and taken back to a revision", async ({ page, view, api }) => {
  const path = "/apis/apps/v1/namespaces/shop/deployments/storefront";
  await show(page, "#/deployments.apps/shop/storefront/rollout");
  await page.getByRole("button", { name: "Scale" }).click();
  await page.getByRole("spinbutton").fill("5");
  await page.keyboard.press("Enter");
  await expect(page.getByText("storefront is to have 5 Pods")).toBeVisible();
  await expect.poll(async () => (await api.get(path)).spec.replicas).toBe(5);
  await page.getByRole("button", { name: "Restart", exact: true }).click();
  await expect(page.locator(".revisions li")).toHaveCount(2);
  await page.getByRole("button", { name: "Go back to it" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Go back to it" }).click();
  await expect.poll(async () => (await api.get(path)).spec.template.metadata.annotations).toBe(undefined);
  await expect(page.locator(".revisions li").first()).toContainText("#3");
});

test("deleting asks for the object's name", async ({ page, view, api }) => {
  await makePod(api, "shop", "doomed-1", "worker-03");
  await show(page, "#/pods/shop/doomed-1");
  await page.getByRole("button", { name: "Delete" }).click();
  const dialog = page.getByRole("dialog");
  await expect(dialog).toContainText("Delete Pod doomed-1?");
  await dialog.getByRole("textbox").fill("doomed");
  await page.keyboard.press("Enter");
  await expect(dialog).toBeVisible();
  expect((await api.get("/api/v1/namespaces/shop/pods/doomed-1")).metadata.deletionTimestamp).toBe(undefined);
  await dialog.getByRole("textbox").fill("doomed-1");
  await page.keyboard.press("Enter");
  await expect(page.getByText("It is not there, or no more")).toBeVisible();
});

test("YAML is tried on the server, compared, applied, and conflicts are told", async ({ page, view, api }) => {
  const path = "/api/v1/namespaces/shop/configmaps/settings";
  await api.call("PATCH", path + "?fieldManager=somebody", { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "settings" }, data: { colour: "teal" } }, "application/apply-patch+yaml");
  await show(page, "#/configmaps/shop/settings/yaml");
  const editor = page.locator(".cm-content");
  await expect(editor).toContainText("colour: teal");
  await page.getByRole("button", { name: "Edit" }).click();
  await page.keyboard.press("Control+Home");
  await page.keyboard.press("Control+f");
  await page.locator(".cm-search input[name=search]").fill("teal");
  await page.locator(".cm-search input[name=replace]").fill("amber");
  await page.locator(".cm-search button[name=replaceAll]").click();
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Review" }).click();
  await expect(page.getByRole("alert")).toContainText("somebody");
  await page.getByRole("checkbox").check();
  await page.getByRole("button", { name: "Review" }).click();
  await expect(page.locator(".cm-deletedChunk")).toContainText("teal");
  await expect(editor).toContainText("amber");
  expect((await api.get(path)).data.colour, "reviewing changes nothing").toBe("teal");
  await page.getByRole("button", { name: "Apply" }).click();
  await expect(page.getByText("settings is changed")).toBeVisible();
  expect((await api.get(path)).data.colour).toBe("amber");
});

test("a node is closed to new Pods and opened again", async ({ page, view, api }) => {
  await show(page, "#/nodes/~/worker-05");
  await page.getByRole("button", { name: "Cordon" }).click();
  await expect(page.locator(".page-head .status")).toContainText("SchedulingDisabled");
  await page.getByRole("button", { name: "Uncordon" }).click();
  await expect(page.locator(".page-head .status")).toHaveText("Ready");
  expect((await api.get("/api/v1/nodes/worker-05")).spec.unschedulable).toBe(undefined);
});

test("what the API refuses is said in its words", async ({ page, view }) => {
  await show(page, "#/configmaps/shop/markup/yaml");
  await expect(page.locator(".cm-content")).toContainText("kind: ConfigMap");
  await page.getByRole("button", { name: "Edit" }).click();
  await page.keyboard.press("Control+Home");
  await page.keyboard.type("nonsense: 1\n");
  await page.getByRole("button", { name: "Review" }).click();
  await expect(page.getByRole("alert")).toContainText("nonsense");
});

test("who may do something is read from RBAC, and asked of the API", async ({ page, view, api }) => {
  await api.post("/apis/rbac.authorization.k8s.io/v1/namespaces/shop/roles", { apiVersion: "rbac.authorization.k8s.io/v1", kind: "Role", metadata: { name: "cleaner" }, rules: [{ apiGroups: [""], resources: ["pods"], verbs: ["delete"] }] });
  await api.post("/apis/rbac.authorization.k8s.io/v1/namespaces/shop/rolebindings", { apiVersion: "rbac.authorization.k8s.io/v1", kind: "RoleBinding", metadata: { name: "cleaners" }, roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "cleaner" }, subjects: [{ kind: "User", name: "ann", apiGroup: "rbac.authorization.k8s.io" }] });
  await show(page, "#/rights/who?ns=shop");
  const line = page.locator("tr", { hasText: "ann" });
  await expect(line).toContainText("shop");
  await expect(line).toContainText("cleaners");
  await show(page, "#/rights/they?ns=shop");
  await page.getByLabel("User").fill("ann");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("status").filter({ hasText: "Yes" })).toContainText("cleaners");
  await show(page, "#/rights/they?ns=billing");
  await page.getByRole("button", { name: "Ask the API" }).click();
  await expect(page.getByRole("status").filter({ hasText: "No" })).toBeVisible();
});

test("objects are made from YAML, after they were tried", async ({ page, view, api }) => {
  await page.keyboard.press("g");
  await page.keyboard.press("a");
  await page.locator(".cm-content").click();
  await page.keyboard.insertText("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: made, namespace: shop}\ndata: {a: b}\n---\napiVersion: v1\nkind: Nonsense\nmetadata: {name: x}\n");
  await page.getByRole("button", { name: "Review" }).click();
  await expect(page.locator(".tried .card").nth(0)).toContainText("to be made");
  await expect(page.locator(".tried .card").nth(1)).toContainText("The server has no kind Nonsense");
  await expect(page.getByRole("button", { name: "Apply" })).toHaveCount(0);
  await page.locator(".cm-content").first().click();
  await page.keyboard.press("Control+a");
  await page.keyboard.press("Delete");
  await page.keyboard.insertText("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: made, namespace: shop}\ndata: {a: b}\n");
  await page.keyboard.press("Control+Enter");
  await page.getByRole("button", { name: "Apply" }).click();
  await expect(page.locator(".tried .card")).toContainText("applied");
  expect((await api.get("/api/v1/namespaces/shop/configmaps/made")).data).toEqual({ a: "b" });
});

test("a node is emptied, as far as budgets let its Pods go", async ({ page, view, api }) => {
  const left = async () => (await api.get("/api/v1/pods?fieldSelector=spec.nodeName%3Dworker-09")).items.filter((p) => !p.metadata.name.startsWith("shipper-")).map((p) => p.metadata.name);
  expect((await left()).length).toBeGreaterThan(3);
  await api.post("/apis/policy/v1/namespaces/shop/poddisruptionbudgets", { apiVersion: "policy/v1", kind: "PodDisruptionBudget", metadata: { name: "precious" }, spec: { minAvailable: 1, selector: { matchLabels: { app: "precious" } } } });
  await makePod(api, "shop", "precious-1", "worker-09", { labels: { app: "precious" } });
  await show(page, "#/nodes/~/worker-09");
  await page.getByRole("button", { name: "Drain" }).click();
  const dialog = page.getByRole("dialog");
  await expect(dialog).toContainText("belong to nothing and do not come back");
  await dialog.getByRole("textbox").fill("worker-09");
  await page.keyboard.press("Enter");
  await expect.poll(left).toEqual(["precious-1"]);
  await expect(dialog).toContainText("1 left");
  await api.delete("/apis/policy/v1/namespaces/shop/poddisruptionbudgets/precious");
  await expect(page.getByText("worker-09 is empty but for what belongs to it")).toBeVisible();
  expect(await left()).toEqual([]);
  expect((await api.get("/api/v1/nodes/worker-09")).spec.unschedulable).toBe(true);
  await page.getByRole("button", { name: "Uncordon" }).click();
  await expect(page.locator(".page-head .status")).toHaveText("Ready");
});
