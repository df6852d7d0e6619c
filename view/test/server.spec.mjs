// The page that the API server serves: one signs in with a token, and is who the token says.
import { expect, row, show, test } from "./view.mjs";

const place = () => `https://127.0.0.1:${process.env.VIEW_PORT}/ui/`;
test.use({ ignoreHTTPSErrors: true });

async function token(api, name, role) {
  await api.post("/api/v1/namespaces/shop/serviceaccounts", { apiVersion: "v1", kind: "ServiceAccount", metadata: { name } }).catch(() => {});
  if (role) await api.post("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", { apiVersion: "rbac.authorization.k8s.io/v1", kind: "ClusterRoleBinding", metadata: { name: "view-test-" + name }, roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: role }, subjects: [{ kind: "ServiceAccount", namespace: "shop", name }] }).catch(() => {});
  return (await api.post(`/api/v1/namespaces/shop/serviceaccounts/${name}/token`, { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: {} })).status.token;
}

async function signIn(page, token) {
  await page.goto(place());
  await page.getByLabel("Token", { exact: true }).fill(token);
  await page.keyboard.press("Enter");
}

test("a wrong token is refused, and a good one is kept for the tab alone", async ({ page, api, context }) => {
  await signIn(page, "nonsense");
  await expect(page.getByText("The server does not know this token.")).toBeVisible();
  await signIn(page, await token(api, "reader", "view"));
  await expect(page.locator(".who")).toContainText("system:serviceaccount:shop:reader");
  await page.reload();
  await expect(page.locator(".who")).toContainText("reader");
  expect(await context.cookies()).toEqual([]);
  const other = await context.newPage();
  await other.goto(place());
  await expect(other.getByLabel("Token", { exact: true })).toBeVisible();
  await other.close();
  await page.getByRole("button", { name: "Sign out" }).click();
  await expect(page.getByLabel("Token", { exact: true })).toBeVisible();
  expect(await page.evaluate(() => JSON.stringify(sessionStorage) + JSON.stringify(localStorage))).not.toContain("eyJ");
});

test("who may only read sees what may be read, and changes nothing by any way", async ({ page, api }) => {
  const bearer = await token(api, "reader", "view");
  await signIn(page, bearer);
  await show(page, "#/pods?ns=shop");
  await expect(row(page, "cart-").first()).toBeVisible();
  await expect(page.locator("nav .live")).toHaveText("Live");
  await show(page, "#/deployments.apps/shop/storefront/rollout");
  for (const name of ["Scale", "Restart", "Pause", "Delete"]) await expect(page.getByRole("button", { name, exact: true })).toHaveAttribute("aria-disabled", "true");
  await page.getByRole("button", { name: "Scale" }).click({ force: true });
  await expect(page.locator(".saying")).toContainText("You may not do this");
  await expect(page.getByRole("dialog")).toHaveCount(0);
  await show(page, "#/deployments.apps/shop/storefront/yaml");
  await expect(page.getByRole("button", { name: "Edit" })).toHaveAttribute("aria-disabled", "true");
  await show(page, "#/pods/shop/cart-12/terminal");
  await expect(page.getByText("You may not see this")).toBeVisible();
  await show(page, "#/secrets?ns=shop");
  await expect(page.getByRole("alert")).toContainText('cannot list resource "secrets"');
  await show(page, "#/secrets/shop/payment");
  await expect(page.getByRole("alert")).toContainText("secrets");
  await expect(page.getByText("not-a-real-key")).toHaveCount(0);
  await show(page, "#/nodes/~/worker-01/usage");
  await expect(page.getByRole("alert")).toContainText("nodes");
  // Without the page's help either.
  const tried = await page.evaluate(async () => {
    const h = { Authorization: "Bearer " + sessionStorage.getItem("coracle-view-token"), "Content-Type": "application/json" };
    const ask = (method, path, body, type) => fetch(path, { method, headers: { ...h, ...(type && { "Content-Type": type }) }, body }).then((r) => r.status);
    return [
      await ask("DELETE", "/api/v1/namespaces/shop/pods/cart-12"), await ask("PATCH", "/apis/apps/v1/namespaces/shop/deployments/storefront/scale", '{"spec":{"replicas":9}}', "application/merge-patch+json"),
      await ask("POST", "/api/v1/namespaces/shop/pods/cart-12/exec?command=sh"), await ask("GET", "/api/v1/namespaces/shop/secrets/payment"), await ask("POST", "/api/v1/namespaces", '{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"mine"}}'),
    ];
  });
  expect(tried).toEqual([403, 403, 403, 403, 403]);
});

test("who may nothing is told so, and not more", async ({ page, api }) => {
  await signIn(page, await token(api, "nobody"));
  await show(page, "#/pods");
  await expect(page.getByRole("alert")).toContainText("You may not see this");
  await show(page, "#/overview");
  await expect(page.locator("main")).not.toContainText("worker-");
  await show(page, "#/rights");
  await expect(page.locator(".matrix")).toContainText("selfsubjectaccessreviews");
});

test("the page is served without its API, and holds nothing", async ({ request }) => {
  const page = await request.get(place());
  expect(page.headers()["content-security-policy"]).toContain("frame-ancestors 'none'");
  expect((await request.get(place() + "session")).status()).toBe(404);
  expect((await request.get(`https://127.0.0.1:${process.env.VIEW_PORT}/api/v1/pods`)).status()).toBeGreaterThanOrEqual(401);
});
