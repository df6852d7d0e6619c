import { defineConfig } from "@playwright/test";

export default defineConfig({
  testDir: ".", testMatch: "**/*.spec.mjs", testIgnore: process.env.VIEW_NODE ? /test\/[^/]+$/ : /test\/node\//,
  // One cluster and one browser at a time: these tests change what they look at.
  workers: 1, fullyParallel: false, timeout: 90_000, expect: { timeout: 20_000 },
  forbidOnly: !!process.env.CI, reporter: [["list"]], outputDir: "../../bin/view/results",
  globalSetup: "./setup.mjs",
  use: { headless: true, viewport: { width: 1600, height: 900 }, launchOptions: { executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium" }, locale: "en-GB", colorScheme: "light", trace: "off" },
});
