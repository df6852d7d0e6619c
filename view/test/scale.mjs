// 1,000 nodes and 100,000 Pods: how much memory the page takes, and how many frames it draws while 100 Pods a second change.
//
//	bin/coracle server --no-node --data-dir DIR --node-monitor-grace-period 240h
//	node view/test/scale.mjs fill DIR/admin.conf [PODS]     # minutes
//	bin/coracle ui --kubeconfig DIR/admin.conf              # prints URL
//	node view/test/scale.mjs look DIR/admin.conf URL        # fails if it takes more memory than it may
import { readFileSync, readdirSync } from "node:fs";
import { connect, each, makeNode, makePod, setState } from "./api.mjs";
import { open } from "./browser.mjs";

const [what, kubeconfig, argument] = process.argv.slice(2);
const api = connect(kubeconfig);

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

// What the browser may take for the page, in MB: memory that is its process's alone, which is what Chromium's own task manager shows.
// Files that all its processes share are in the other figure.
const most = 300;
const peak = { all: 0, own: 0 };

/** The memory of the browser's process that draws the page, in MB: all that is mapped, and what is its own. */
function memory() {
  const found = [];
  for (const p of readdirSync("/proc").filter((p) => /^\d+$/.test(p))) {
    try {
      if (!readFileSync(`/proc/${p}/cmdline`, "utf8").includes("type=renderer")) continue;
      const of = (key) => Number(readFileSync(`/proc/${p}/smaps_rollup`, "utf8").match(new RegExp(key + ":\\s+(\\d+)"))[1]) / 1024;
      found.push({ all: Math.round(of("Rss")), own: Math.round(of("Private_Dirty") + of("Private_Clean")) });
    } catch {
      // it has ended
    }
  }
  const biggest = found.sort((a, b) => b.all - a.all)[0] ?? { all: 0, own: 0 };
  for (const k of ["all", "own"]) peak[k] = Math.max(peak[k], biggest[k]);
  return biggest;
}
const told = ({ all, own }) => `${own} MB its own (resident, with what is shared: ${all})`;

async function look() {
  const page = await open(argument, 1600, 900);
  const show = (route) => page.evaluate((r) => void (location.hash = r), route);
  const pause = (ms) => new Promise((r) => setTimeout(r, ms));
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
    console.log(`${what}: ${((gaps.length / ms) * 1000).toFixed(1)} frames a second, between frames ${at(0.5)} ms (median), ${at(0.95)} (95 %), ${at(0.99)} (99 %), ${at(1)} (longest); memory: ${told(memory())}`);
  };
  await page.until(() => document.querySelector("nav"), "the page is there");
  console.log("memory at first:", told(memory()));
  const watching = setInterval(memory, 250);
  const began = Date.now();
  await show("#/pods");
  await page.until(() => document.querySelector("nav .live")?.textContent === "Live" && document.querySelector(".count"), "all Pods are listed", 300_000);
  const listed = (Date.now() - began) / 1000;
  await pause(1000); // until they are drawn, too
  console.log(`${await page.evaluate(() => document.querySelector(".count").textContent)} Pods listed after ${listed} s; memory: ${told(memory())}; at most so far: ${told(peak)}`);
  await frames("nothing changes", 5000);
  const some = (await api.get("/api/v1/namespaces/team-1/pods?limit=200")).items, from = Date.now();
  let changed = 0, on = true;
  const change = async () => {
    while (on) {
      const i = changed++;
      await setState(api, some[i % some.length], i % 3 ? "Running" : "CrashLoopBackOff", i);
      await pause(Math.max(0, changed * 10 - (Date.now() - from)));
    }
  };
  for (let i = 0; i < 6; i++) void change();
  await frames("list of Pods, 100 change a second", 10_000);
  const scrolling = frames("scrolling it", 4000);
  for (let i = 0; i < 40; i++) await page.wheel(800, 500, 1500).then(() => pause(80));
  await scrolling;
  for (const route of ["overview", "nodes"]) {
    await show("#/" + route);
    await pause(1500);
    await frames(route, 6000);
  }
  console.log(`${(changed / ((Date.now() - from) / 1000)).toFixed(0)} Pods changed a second`);
  on = false;
  console.log("memory in the end:", told(memory()));
  await pause(15_000);
  console.log("memory, when nothing changed for a while:", told(memory()));
  clearInterval(watching);
  await page.close();
  console.log(`judged by its own memory, looked at four times a second: at most ${peak.own} MB, of ${most} that it may (resident, with what is shared: at most ${peak.all})`);
  process.exit(peak.own > most ? 1 : 0);
}

await { fill, look }[what]();
