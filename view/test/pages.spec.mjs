// Every page, in both languages and themes, narrow and wide: it shows what it is for, breaks no rule of accessibility or of the
// page's policy, and does not scroll sideways.
import AxeBuilder from "@axe-core/playwright";
import { speaks } from "./hands.mjs";
import { expect, row, show, test } from "./view.mjs";

const pages = [
  ["overview", "#/overview", ".node-map .tile"],
  ["nodes", "#/nodes", ".runway > .row"],
  ["nodes as a map", "#/nodes?as=map", ".tile"],
  ["workloads", "#/workloads", ".runway > .row"],
  ["pods", "#/pods", ".runway > .row"],
  ["events", "#/events", ".runway > .row"],
  ["network", "#/network?ns=shop", ".picture svg"],
  ["rights", "#/rights", ".matrix tbody tr"],
  ["who may", "#/rights/who", "tbody tr"],
  ["may they", "#/rights/they", "form"],
  ["forwards", "#/forwards", ".empty"],
  ["kinds", "#/kinds", ".kinds li"],
  ["apply", "#/apply", ".editor"],
  ["a kind", "#/configmaps", ".runway > .row"],
  ["a node", "#/nodes/~/worker-01", ".summary .card"],
  ["a node's pods", "#/nodes/~/worker-01/pods", ".runway > .row"],
  ["a pod", "#/pods/shop/checkout-0", ".containers li"],
  ["a pod's ports", "#/pods/shop/checkout-0/ports", ".forwards li"],
  ["a rollout", "#/deployments.apps/shop/storefront/rollout", ".revisions li"],
  ["yaml", "#/deployments.apps/shop/storefront/yaml", ".editor"],
  ["an object's events", "#/pods/shop/checkout-0/events", ".event-list li"],
  ["data", "#/configmaps/shop/markup", ".data li"],
];

// What lies over a page, or in its stead, and how one gets there.
const press = (name) => async (page, say) => page.getByRole("button", { name: say(name), exact: true }).click();
const further = [
  ["deleting", "#/pods/shop/checkout-0", press("Delete"), "dialog input"],
  ["scaling", "#/deployments.apps/shop/storefront/rollout", press("Scale"), "dialog input"],
  ["draining", "#/nodes/~/worker-02", press("Drain"), "dialog .bad"],
  ["finding", "#/overview", press("Find (Ctrl K or /)"), "dialog .found li"],
  ["keys", "#/kinds", async (page) => page.keyboard.press("?"), "dialog .keys"],
  ["editing", "#/configmaps/shop/markup/yaml", press("Edit"), ".cm-content"],
  ["searching", "#/configmaps/search/kube-root-ca.crt/yaml", async (page) => (await page.locator(".cm-content").click(), page.keyboard.press("Control+f")), ".cm-search"],
  ["not there", "#/pods/shop/no-such-pod", async () => {}, ".empty"],
  ["no kind", "#/nonsense", async () => {}, ".empty"],
  ["a refusal", "#/deployments.apps/shop/storefront/yaml", async (page, say) => {
    await press("Edit")(page, say);
    await page.keyboard.press("Control+Home");
    await page.keyboard.type("nonsense: 1\n");
    await press("Review")(page, say);
  }, ".problem"],
];

for (const width of [1600, 400]) for (const theme of ["light", "dark"]) for (const language of ["en", "zh"]) {
  test(`pages at ${width} pixels, ${theme}, ${language}`, async ({ page, view, complaints }) => {
    test.setTimeout(900_000);
    await page.setViewportSize({ width, height: width === 400 ? 800 : 900 });
    await page.evaluate(([theme, language]) => {
      localStorage.setItem("coracle-view-theme", theme);
      localStorage.setItem("coracle-view-language", language);
    }, [theme, language]);
    await page.reload();
    const look = async (name) => {
      expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), "how far it scrolls sideways").toBeLessThanOrEqual(0);
      const found = await new AxeBuilder({ page }).analyze();
      expect.soft(found.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html.slice(0, 160)).slice(0, 3).join(" | ")}`), name).toEqual([]);
      await page.screenshot({ path: `../../bin/view/${name.replace(/\W+/g, "-")}-${width}-${theme}-${language}.png` });
    };
    for (const [name, route, sign] of pages) await test.step(name, async () => {
      await show(page, route);
      await expect(page.locator(sign).first()).toBeVisible();
      await look(name);
    });
    for (const [name, route, open, sign] of further) await test.step(name, async () => {
      await show(page, route);
      await expect(page.locator("main").locator("h1, .empty").first()).toBeVisible();
      await open(page, speaks(language));
      await expect(page.locator(sign).first()).toBeVisible();
      await look(name);
      await page.keyboard.press("Escape");
      await expect(page.getByRole("dialog")).toHaveCount(0);
    });
    expect(complaints).toEqual([]);
  });
}

test("lists are walked, opened and left by keys alone", async ({ page, view }) => {
  for (const [key, title] of [["n", "Nodes"], ["w", "Workloads"], ["p", "Pods"], ["e", "Events"], ["t", "Network"], ["r", "Rights"], ["f", "Forwards"], ["k", "All kinds"], ["o", "coracle"]]) {
    await page.keyboard.press("g");
    await page.keyboard.press(key);
    await expect(page.getByRole("heading", { level: 1 })).toContainText(title);
  }
  await page.keyboard.press("g");
  await page.keyboard.press("p");
  await expect(row(page, "checkout-").first()).toBeVisible();
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  const second = await page.locator('.row[aria-selected="true"] .name').innerText();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { level: 1 })).toContainText(second);
  await page.keyboard.press("Escape");
  await expect(page.getByRole("heading", { level: 1 })).toContainText("Pods");
  await page.keyboard.press("/");
  await page.keyboard.type("orders-db");
  await expect(page.locator(".count")).toHaveText("2");
  await page.keyboard.press("Escape");
  await expect(page.locator(".count")).not.toHaveText("2");
  await page.keyboard.press("Control+k");
  await page.keyboard.type("configmap");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { level: 1 })).toContainText("ConfigMap");
  await page.keyboard.press("?");
  await expect(page.getByRole("dialog")).toContainText("Ctrl K");
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog")).toHaveCount(0);
});

test("a list's end is reached, and of it only what is seen is drawn", async ({ page, view }) => {
  await show(page, "#/pods");
  await expect(row(page, "cart-").first()).toBeVisible();
  await page.locator(".grid").focus();
  await page.keyboard.press("End");
  const total = Number((await page.locator(".count").innerText()).replace(/\D/g, ""));
  await expect(page.locator(`.row[aria-rowindex="${total + 1}"]`)).toBeVisible();
  expect(await page.locator(".runway > .row").count()).toBeLessThan(60);
});

test("network policies are read as they are meant", async ({ page, view }) => {
  await show(page, "#/network?ns=shop");
  await page.locator(".groups a", { hasText: "orders-db" }).click();
  const to = page.locator(".card", { hasText: "May talk to orders-db" });
  await expect(to).toContainText("billing/ledger");
  await expect(to).toContainText("shop/storefront");
  await expect(to.locator("li", { hasText: "shop/checkout" })).toContainText("refused by checkout-quiet");
  await expect(to).toContainText("port 5432");
  const from = page.locator(".card", { hasText: "orders-db may talk to" });
  await expect(from).toContainText("10.96.0.0/16");
});
