import assert from "node:assert/strict";
import { test } from "node:test";
import { merge } from "../api/merge";

interface R { key: string; n: number }
const compare = (a: R, b: R) => a.n - b.n || (a.key < b.key ? -1 : 1);

test("merging is as sorting anew", () => {
  let seed = 7;
  const random = (n: number) => (seed = (seed * 48271) % 2147483647) % n;
  const all = new Map<string, R>();
  let rows: R[] = [];
  for (let step = 0; step < 300; step++) {
    const gone = new Set<R>(), come: R[] = [];
    for (let i = 0; i < random(8); i++) {
      const key = "k" + random(40), old = all.get(key);
      if (come.some((r) => r.key === key) || (old && gone.has(old))) continue;
      if (old) gone.add(old);
      all.delete(key);
      if (random(4)) {
        const r = { key, n: random(30) };
        all.set(key, r);
        come.push(r);
      }
    }
    rows = merge(rows, { gone, come }, (r) => r.n % 3 !== 0, compare);
    assert.deepEqual(rows, [...all.values()].filter((r) => r.n % 3 !== 0).sort(compare));
  }
});

test("an array that is free is used again, whatever was in it", () => {
  const a = [{ key: "a" }, { key: "c" }], spare = ["x", "y", "z", "w"].map((key) => ({ key }));
  const out = merge(a, { gone: new Set([a[1]]), come: [{ key: "b" }] }, () => true, (x, y) => (x.key < y.key ? -1 : 1), spare);
  assert.equal(out, spare);
  assert.deepEqual(out, [{ key: "a" }, { key: "b" }]);
});
