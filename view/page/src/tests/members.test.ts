import assert from "node:assert/strict";
import { test } from "node:test";
import { Members } from "../api/members";

const fields = [{ manager: 'a "b" ] } \\', fieldsV1: { "f:x": { 'k:{"type":"[Ready]"}': { ".": {} } } } }];
const row = (name: string) => ({ cells: [name, 'with "quotes", ] and }', 1, [{ a: [] }]], object: { kind: "PartialObjectMetadata", metadata: { name, ownerReferences: [{ name: "o" }], annotations: { a: '"managedFields":[1' }, managedFields: fields, finalizers: ["x"] } } });
const table = { kind: "Table", apiVersion: "meta.k8s.io/v1", metadata: { resourceVersion: "7", continue: "c" }, columnDefinitions: [{ name: "Name" }, { name: "rows" }], rows: ["a", "b{", "c\\"].map(row) };
const list = { kind: "PodList", metadata: {}, items: [{ metadata: { name: "a", managedFields: fields }, spec: { managedFields: [1], items: [[{}]] } }] };

function read(what: unknown, size: number, space?: number) {
  const text = JSON.stringify(what, undefined, space), got: any[] = [];
  let known: any;
  const m = new Members((head) => (known = head), (o) => got.push(o));
  for (let i = 0; i < text.length; i += size) m.push(text.slice(i, i + size));
  return { got, known, head: m.end() };
}

test("a Table is read row by row, however its text is divided, without managed fields", () => {
  const want = structuredClone(table.rows);
  for (const r of want) r.object.metadata.managedFields = [];
  for (const size of [1, 2, 3, 7, 16, 17, 64, 1000, 1e6]) {
    const { got, known, head } = read(table, size);
    assert.deepEqual(got, want);
    assert.deepEqual(head, { ...table, rows: [] });
    assert.deepEqual(known, head);
  }
});

test("a list's objects are read whole", () => {
  for (const size of [1, 5, 1e6]) for (const space of [undefined, 2]) {
    const { got, known, head } = read(list, size, space);
    assert.deepEqual(got, list.items);
    assert.equal(known.kind, "PodList");
    assert.deepEqual(head, { ...list, items: [] });
  }
});

test("lists without members, and what is no list, have a head alone", () => {
  for (const what of [{ kind: "Table", rows: null }, { kind: "PodList", items: [] }, { kind: "Pod", spec: { items: [{}] } }, { kind: "X", rows: [], a: [1], more: { rows: [{}] } }]) {
    const { got, head } = read(what, 3);
    assert.deepEqual([got, head], [[], what]);
  }
});
