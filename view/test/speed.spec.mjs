// How fast it is there, and what many who look cost. Scale is measured by test/scale.mjs.
import { expect, show, test } from "./view.mjs";

test("the first paint comes at once", async ({ page, view }) => {
  const paints = [];
  for (let i = 0; i < 7; i++) {
    await page.reload();
    await expect(page.locator("nav")).toBeVisible();
    paints.push(await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0].startTime));
  }
  paints.sort((a, b) => a - b);
  console.log("first paint after", paints.map((p) => Math.round(p) + " ms").join(", "));
  // The best of a few: what else runs on the machine is not the page's.
  expect(paints[0]).toBeLessThan(200);
});

test("what is not needed at first is fetched when it is", async ({ page, view }) => {
  const asked = [];
  page.on("request", (r) => asked.push(new URL(r.url()).pathname));
  await page.reload();
  await expect(page.locator(".tile").first()).toBeVisible();
  expect(asked.filter((p) => /yaml|terminal|zh/.test(p))).toEqual([]);
  await show(page, "#/configmaps/shop/markup/yaml");
  await expect(page.locator(".cm-content")).toBeVisible();
  expect(asked.filter((p) => /yaml/.test(p)).length).toBe(1);
});

test("ten who look cost ten watches of a kind, and nothing when they have gone", async ({ page, view, context, api }) => {
  const watches = async () => Number((await api.text("/metrics")).match(/^apiserver_longrunning_requests\{[^}]*resource="configmaps"[^}]*verb="WATCH"[^}]*\} (\d+)/m)?.[1] ?? 0);
  const before = await watches();
  const others = [];
  for (let i = 0; i < 9; i++) others.push(await context.newPage());
  await show(page, "#/configmaps");
  for (const other of others) await other.goto(page.url());
  await expect.poll(watches).toBe(before + 10);
  for (const other of others) await other.close();
  await expect.poll(watches).toBe(before + 1);
  await show(page, "#/forwards");
  await expect.poll(watches).toBe(before);
});
