import assert from "node:assert/strict";
import { test } from "node:test";
import { add, latest, measured, quantity, read, tell, type Meter, type Use } from "../api/meter";

const reading = (second: number, used: number, rate?: number) => ({ cpu: { time: new Date(second * 1000).toISOString(), usageCoreNanoSeconds: used * 1e9, usageNanoCores: rate }, memory: { workingSetBytes: 7 } });
const meter = (...readings: any[]): Meter => {
  const m: Meter = { samples: [] };
  readings.forEach((r, i) => read(m, r, 1e6 + i * 10_000));
  return m;
};

test("what is used is what was counted between two readings", () => {
  assert.equal(meter(reading(10, 5)).samples.length, 0);
  assert.deepEqual(latest(meter(reading(10, 5), reading(20, 8))), { at: 1_010_000, cpu: 0.3, memory: 7 });
});

test("a rate counts where there is no reading before, and after a restart", () => {
  assert.equal(latest(meter(reading(10, 5, 0.5e9))).cpu, 0.5);
  assert.equal(latest(meter(reading(10, 5), reading(20, 1, 0.1e9))).cpu, 0.1);
  assert.equal(meter(reading(10, 5), reading(20, 1)).samples.length, 0);
});

test("what was read already is not read again, and what is older than an hour is forgotten", () => {
  assert.equal(meter(reading(10, 5), reading(20, 6), reading(20, 6)).samples.length, 1);
  const m = meter(reading(10, 5), reading(20, 6));
  read(m, reading(4000, 7), 5e6);
  assert.equal(m.samples.length, 1);
});

test("a kubelet that says nothing has no samples", () => assert.equal(meter({}, undefined).samples.length, 0));

const use = (): Use => ({ at: 0, node: { samples: [] }, pods: new Map() });
const minutes = (...m: number[]) => m.map((x) => new Date(x * 60_000).toISOString());
const at = (m: Meter | undefined) => m?.samples.map((s) => [s.at / 60_000, s.cpu, s.memory]);
const pod = (uid: string, cpu: (number | null)[], memory: (number | null)[]) => ({ uid, namespace: "ns", name: "p", usageNanoCores: cpu, workingSetBytes: memory });

test("what a kubelet remembers is there at once, without what it does not know", () => {
  const u = use();
  tell(u, { times: minutes(1, 2, 3), node: pod("", [null, 5e8, 1e9], [null, 7, 8]), pods: [pod("a", [null, null, 2e8], [null, null, 5])] });
  assert.deepEqual(at(u.node), [[2, 0.5, 7], [3, 1, 8]]);
  assert.deepEqual(at(u.pods.get("a")), [[3, 0.2, 5]]);
  assert.equal(u.at, 180_000);
});

test("what is told again after a connection was lost counts once, and what was missed is filled in", () => {
  const u = use();
  tell(u, { times: minutes(1, 2), node: pod("", [1e9, 2e9], [1, 2]), pods: [] });
  tell(u, { times: minutes(2.5), node: pod("", [3e9], [3]), pods: [] });
  tell(u, { times: minutes(1, 2, 3, 4), node: pod("", [1e9, 2e9, 4e9, 5e9], [1, 2, 4, 5]), pods: [] });
  assert.deepEqual(at(u.node), [[1, 1, 1], [2, 2, 2], [2.5, 3, 3], [3, 4, 4], [4, 5, 5]]);
});

test("a kubelet that was restarted and knows nothing yet takes nothing away", () => {
  const u = use();
  tell(u, { times: minutes(1, 2), node: pod("", [1e9, 2e9], [1, 2]), pods: [] });
  tell(u, { times: [], node: pod("", [], []), pods: [] });
  tell(u, { times: minutes(5), node: pod("", [null], [null]), pods: [] });
  assert.equal(u.node.samples.length, 2);
});

test("of a Pod that has ended an hour is kept, and then nothing", () => {
  const u = use();
  tell(u, { times: minutes(1), node: pod("", [0], [1]), pods: [pod("a", [0], [1])] });
  tell(u, { times: minutes(60), node: pod("", [0], [1]), pods: [pod("b", [0], [1])] });
  assert.deepEqual([...u.pods.keys()], ["a", "b"]);
  tell(u, { times: minutes(61), node: pod("", [0], [1]), pods: [pod("b", [0], [1])] });
  assert.deepEqual([...u.pods.keys()], ["b"]);
  assert.equal(u.node.samples.length, 2);
});

test("a kubelet that is asked again and again tells of the Pods that there are", () => {
  const u = use(), stats = (second: number, ...uids: string[]) => ({ node: reading(second, second / 2), pods: uids.map((uid) => ({ podRef: { uid, namespace: "ns", name: uid }, ...reading(second, 0) })) });
  add(u, stats(10, "a", "b"), 10_000);
  add(u, stats(20, "b"), 20_000);
  assert.deepEqual(u.node.samples, [{ at: 20_000, cpu: 0.5, memory: 7 }]);
  assert.deepEqual([...u.pods.keys()], ["b"]);
});

test("metrics.k8s.io tells of a node, and of a Pod's containers", () => {
  assert.deepEqual(measured({ timestamp: "1970-01-01T00:00:01Z", usage: { cpu: "250m", memory: "1Ki" } }), { at: 1000, cpu: 0.25, memory: 1024 });
  assert.deepEqual(measured({ timestamp: "1970-01-01T00:00:01Z", containers: [{ usage: { cpu: "500000000n", memory: "1Mi" } }, { usage: { cpu: "1", memory: "1Ki" } }] }), { at: 1000, cpu: 1.5, memory: 2 ** 20 + 1024 });
  assert.equal(quantity("1.5e3"), 1500);
  assert.equal(quantity(undefined), 0);
});
