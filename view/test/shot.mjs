// Looks at a page: node shot.mjs URL FILE [WIDTH [THEME [LANGUAGE]]] ROUTE...
import { chromium } from "@playwright/test";
const [url, prefix, widths, ...routes] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium" });
const context = await browser.newContext();
const page = await context.newPage();
page.on("console", (m) => console.log("console:", m.text()));
page.on("pageerror", (e) => console.log("error:", e.stack));
await page.goto(url);
await page.waitForTimeout(1000);
for (const spec of widths.split(",")) {
  const [width, theme = "light", language = "en"] = spec.split(":");
  await page.setViewportSize({ width: Number(width), height: width < 600 ? 800 : 900 });
  await page.evaluate(([theme, language]) => { localStorage.setItem("coracle-view-theme", theme); localStorage.setItem("coracle-view-language", language); }, [theme, language]);
  await page.reload();
  for (const r of routes) {
    await page.evaluate((r) => (location.hash = r), r);
    await page.waitForTimeout(900); console.log(r, await page.evaluate(() => document.body.innerText.slice(0, 300)));
    await page.screenshot({ path: `${prefix}-${(r.replace(/\W+/g, "_") || "home")}-${width}-${theme}-${language}.png` });
  }
}
await browser.close();
