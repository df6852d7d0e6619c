// 1,000 nodes and 100,000 Pods: how much memory the page takes, and how many frames it draws while 100 Pods a second change.
//
//	bin/coracle server --no-node --data-dir DIR --node-monitor-grace-period 240h
//	node view/test/scale.mjs fill DIR/admin.conf [PODS]     # minutes
//	bin/coracle ui --kubeconfig DIR/admin.conf              # prints URL
//	node view/test/scale.mjs look DIR/admin.conf URL
import { chromium } from "@playwright/test";
import { readFileSync, readdirSync } from "node:fs";
import { connect, each, makeNode, makePod, setState } from "./api.mjs";

const [what, kubeconfig, argument] = process.argv.slice(2);
const api = connect(kubeconfig);
await { fill, look }[what]();

async function fill() {
  const nodes = 1000, pods = Number(argument ?? 100_000), name = (i) => "node-" + String(i).padStart(4, "0");
  await each(nodes, 8, (i) => makeNode(api, name(i), { address: `10.1.${i >> 8}.${i & 255}`, pods: "250" }));
  for (let i = 0; i < 20; i++) await api.post("/api/v1/namespaces", { apiVersion: "v1", kind: "Namespace", metadata: { name: "team-" + i } });
  let made = 0;
  await each(pods, 16, async (i) => {
    await makePod(api, "team-" + (i % 20), `app-${i % 500}-${i}`, name(i % nodes), { labels: { app: "app-" + (i % 500) }, state: i % 400 ? "Running" : "CrashLoopBackOff" });
    if (++made % 10_000 === 0) console.log(made);
  });
}

/** Memory of the browser's processes that draw pages, in MB: all that is mapped, and what is theirs alone. */
function memory() {
  const found = [];
  for (const p of readdirSync("/proc").filter((p) => /^\d+$/.test(p))) {
    try {
      if (!readFileSync(`/proc/${p}/cmdline`, "utf8").includes("type=renderer")) continue;
      const of = (key) => Number(readFileSync(`/proc/${p}/smaps_rollup`, "utf8").match(new RegExp(key + ":\\s+(\\d+)"))[1]) / 1024;
      found.push([Math.round(of("Rss")), Math.round(of("Private_Dirty") + of("Private_Clean"))]);
    } catch {
      // it has ended
    }
  }
  const [all, own] = found.sort((a, b) => b[0] - a[0])[0];
  return `${all} MB, ${own} of them its own`;
}

async function look() {
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium" });
  const page = await (await browser.newContext({ viewport: { width: 1600, height: 900 } })).newPage();
  const show = (route) => page.evaluate((r) => (location.hash = r), route);
  const frames = async (what, ms) => {
    const gaps = await page.evaluate((ms) => new Promise((done) => {
      const gaps = [], began = performance.now();
      let last = began;
      const frame = (t) => {
        gaps.push(t - last);
        last = t;
        if (t < began + ms) requestAnimationFrame(frame);
        else done(gaps.slice(1).sort((a, b) => a - b));
      };
      requestAnimationFrame(frame);
    }), ms);
    const at = (part) => gaps[Math.floor((gaps.length - 1) * part)].toFixed(1);
    console.log(`${what}: ${((gaps.length / ms) * 1000).toFixed(1)} frames a second, between frames ${at(0.5)} ms (median), ${at(0.95)} (95 %), ${at(0.99)} (99 %), ${at(1)} (longest)`);
  };
  await page.goto(argument);
  await page.locator("nav").waitFor();
  console.log("memory at first:", memory());
  const began = Date.now();
  await show("#/pods");
  await page.locator("nav .live", { hasText: "Live" }).waitFor({ timeout: 300_000 });
  console.log(`${await page.locator(".count").innerText()} Pods listed after ${(Date.now() - began) / 1000} s; memory:`, memory());
  await frames("nothing changes", 5000);
  const some = (await api.get("/api/v1/namespaces/team-1/pods?limit=200")).items, from = Date.now();
  let changed = 0, on = true;
  const change = async () => {
    while (on) {
      const i = changed++;
      await setState(api, some[i % some.length], i % 3 ? "Running" : "CrashLoopBackOff", i);
      await new Promise((r) => setTimeout(r, Math.max(0, changed * 10 - (Date.now() - from))));
    }
  };
  for (let i = 0; i < 6; i++) void change();
  await frames("list of Pods, 100 change a second", 10_000);
  await page.locator(".grid").hover();
  const scrolling = frames("scrolling it", 4000);
  for (let i = 0; i < 40; i++) await page.mouse.wheel(0, 1500).then(() => page.waitForTimeout(80));
  await scrolling;
  for (const route of ["overview", "nodes"]) {
    await show("#/" + route);
    await page.waitForTimeout(1500);
    await frames(route, 6000);
  }
  console.log(`${(changed / ((Date.now() - from) / 1000)).toFixed(0)} Pods changed a second`);
  on = false;
  console.log("memory in the end:", memory());
  await page.waitForTimeout(15_000);
  console.log("memory, when nothing changed for a while:", memory());
  await browser.close();
  process.exit(0);
}
