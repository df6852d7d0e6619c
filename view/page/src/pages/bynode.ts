// How many Pods run on each node, and how they are: counted as they come and go, not anew.
import { useEffect, useState } from "preact/hooks";
import type { Delta, Feed } from "../api/feed";
import type { TableReader, TableRow } from "../api/rows";
import { toneOf, type Tone } from "../ui/parts";

export type Counts = Record<Tone, number> & { all: number };
const zero = (): Counts => ({ good: 0, busy: 0, bad: 0, calm: 0, done: 0, all: 0 });

export interface Counted {
  nodes: Map<string, Counts>;
  all: Counts;
  /** Those that are bad, by what they say. */
  reasons: Map<string, number>;
}

export function podTone(status: string, ready: string): Tone {
  const tone = toneOf(status);
  if (tone !== "good") return tone;
  const [have, want] = String(ready).split("/");
  return have === want ? "good" : "busy";
}

export function podCells(f: Feed<TableRow>) {
  const columns = (f.reader as TableReader).columns;
  const at = (name: string) => columns.findIndex((c) => c.name === name);
  return { node: at("Node"), status: at("Status"), ready: at("Ready") };
}

/** What was counted and what changed since, as a new count: parts of the page that get the same as before are not drawn again. */
export function count(from: Counted, f: Feed<TableRow>, d: { gone: Iterable<TableRow>; come: Iterable<TableRow> }): Counted {
  const at = podCells(f), into: Counted = { nodes: new Map(from.nodes), all: { ...from.all }, reasons: new Map(from.reasons) }, mine = new Set<string>();
  const add = (r: TableRow, n: number) => {
    const node = r.cells[at.node] ?? "", status = String(r.cells[at.status]), tone = podTone(status, r.cells[at.ready]);
    if (!mine.has(node)) {
      mine.add(node);
      into.nodes.set(node, { ...(into.nodes.get(node) ?? zero()) });
    }
    for (const x of [into.nodes.get(node)!, into.all]) {
      x[tone] += n;
      x.all += n;
    }
    if (tone === "bad") into.reasons.set(status, (into.reasons.get(status) ?? 0) + n);
  };
  for (const r of d.gone) add(r, -1);
  for (const r of d.come) add(r, 1);
  return into;
}

const nothing: Counted = { nodes: new Map(), all: zero(), reasons: new Map() };

export function useCounts(f: Feed<TableRow>): Counted {
  const [counted, set] = useState(nothing);
  useEffect(() => {
    const leave = f.look((d: Delta<TableRow>) => set((was) => count(was, f, d)));
    set(count(nothing, f, { gone: [], come: f.rows.values() }));
    return leave;
  }, [f]);
  return counted;
}
