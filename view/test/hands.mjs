// The two ways to use the page: a mouse, and keys alone. Both write by keys.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "./view.mjs";

const chinese = new Map([...readFileSync(join(import.meta.dirname, "../page/src/zh.ts"), "utf8").matchAll(/^  "((?:[^"\\]|\\.)*)": "((?:[^"\\]|\\.)*)",?$/gm)].map((m) => [m[1], m[2]]));

/** The page's words in a language. */
export const speaks = (language) => (words, fill = {}) => (language === "zh" ? chinese.get(words) ?? words : words).replace(/\{(\w+)\}/g, (whole, name) => fill[name] ?? whole);

const rowOf = (page, name) => page.locator(".runway > .row").filter({ has: page.getByText(name, { exact: true }) }).first();

export function mouse(page) {
  return {
    press: (what) => what.click(),
    async write(where, text) {
      await where.click();
      await page.keyboard.press("Control+a");
      await page.keyboard.type(text);
    },
    choose: (where, value) => where.selectOption(value), // what a browser opens for it is not of the page
    check: (where) => where.click(),
    /** Opens the row of a list that a filter leaves. */
    openRow: (name) => rowOf(page, name).locator(".cell").first().click(),
  };
}

export function keys(page) {
  const has = (what) => what.evaluate((el) => el.getRootNode().activeElement === el);
  const reach = async (what) => {
    await expect(what).toBeVisible();
    for (let left = 150; !(await has(what)); left--) {
      expect(left, `Tab reaches ${what}`).toBeGreaterThan(0);
      await page.keyboard.press("Tab");
    }
    // One sees where one is.
    expect(await what.evaluate((el) => {
      const s = getComputedStyle(el), around = el.closest(".grid, .card, dialog") ? getComputedStyle(el.closest(".grid, .card, dialog")) : s;
      return [s.outlineStyle, s.boxShadow, around.outlineStyle, around.boxShadow].some((x) => x !== "none") || el.matches(".palette, .cm-content, .xterm *");
    }), `it is seen that ${what} has the focus`).toBe(true);
  };
  return {
    async press(what) {
      await reach(what);
      await page.keyboard.press("Enter");
    },
    async write(where, text) {
      await reach(where);
      await page.keyboard.press("Control+a");
      await page.keyboard.type(text);
    },
    async choose(where, value) {
      await reach(where);
      await page.keyboard.press("Home");
      for (let left = 100; (await where.inputValue()) !== value; left--) {
        expect(left, `arrows reach ${value}`).toBeGreaterThan(0);
        await page.keyboard.press("ArrowDown");
      }
    },
    async check(where) {
      if ((await where.getAttribute("type")) === "radio") {
        // Of radio buttons the chosen one is reached, and arrows go on from there.
        const name = await where.getAttribute("name");
        await reach(page.locator(`input[name="${name}"]:checked`));
        await page.keyboard.press("ArrowRight");
      } else {
        await reach(where);
        await page.keyboard.press("Space");
      }
    },
    async openRow(name) {
      await expect(rowOf(page, name)).toBeVisible();
      await reach(page.locator(".grid"));
      for (let left = 50; (await rowOf(page, name).getAttribute("aria-selected")) !== "true"; left--) {
        expect(left, `arrows reach ${name}`).toBeGreaterThan(0);
        await page.keyboard.press("ArrowDown");
      }
      await page.keyboard.press("Enter");
    },
  };
}
