// What all tests use: the page, entered, and the API beside it.
import { test as base, expect } from "@playwright/test";
import { readFileSync } from "node:fs";
import { connect } from "./api.mjs";

export { expect };

/** The address that lets the next browser in. */
export const invitation = () => readFileSync(process.env.VIEW_INVITATIONS, "utf8").match(/http:\S+#key=\w+(?=\s)/g).at(-1);

/** Enters the view, once the address that the last browser used has been replaced. */
export async function enter(page) {
  const address = invitation();
  await page.goto(address);
  await expect(page.getByRole("link", { name: "Coracle" }).or(page.locator(".brand")).first()).toBeVisible();
  await expect.poll(invitation).not.toBe(address);
}

export async function show(page, route) {
  await page.evaluate((r) => (location.hash = r), route);
}

/** The row of a list that holds a text. */
export const row = (page, text) => page.locator(".runway > .row", { hasText: text });

export const test = base.extend({
  api: async ({}, use) => use(connect(process.env.VIEW_CONFIG)),
  // What a page complains of fails its test, the policy's refusals among it.
  complaints: async ({}, use) => {
    const list = [];
    await use(list);
    expect(list, "what the browser complained of").toEqual([]);
  },
  page: async ({ page, complaints }, use) => {
    page.on("console", (m) => m.type() === "error" && !/Failed to load resource|WebSocket connection|net::ERR/.test(m.text()) && complaints.push(m.text()));
    page.on("pageerror", (e) => complaints.push(e.stack));
    // A page asks nobody but who served it.
    page.on("request", (r) => {
      const from = page.url(), to = r.url();
      if (from.startsWith("http") && !r.isNavigationRequest() && /^(http|ws)/.test(to) && new URL(to).host !== new URL(from).host) complaints.push("it asked " + to);
    });
    await use(page);
  },
  view: async ({ page }, use) => {
    await enter(page);
    await use(page);
  },
});
