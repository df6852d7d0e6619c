import assert from "node:assert/strict";
import { test } from "node:test";
import { add, latest, type Meter } from "../pages/meter";

const reading = (second: number, used: number, rate?: number) => ({ cpu: { time: new Date(second * 1000).toISOString(), usageCoreNanoSeconds: used * 1e9, usageNanoCores: rate }, memory: { workingSetBytes: 7 } });
const meter = (...readings: any[]): Meter => {
  const m: Meter = { samples: [] };
  readings.forEach((r, i) => add(m, r, 1e6 + i * 10_000));
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
  add(m, reading(4000, 7), 5e6);
  assert.equal(m.samples.length, 1);
});

test("a kubelet that says nothing has no samples", () => assert.equal(meter({}, undefined).samples.length, 0));
