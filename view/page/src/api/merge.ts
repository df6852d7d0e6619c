import type { Delta, Row } from "./feed";

/** Rows in order, with what has changed: one step through them, no sort of all. */
export function merge<R extends Row>(rows: R[], d: Delta<R>, passes: (r: R) => boolean, compare: (a: R, b: R) => number): R[] {
  const come = d.come.filter(passes).sort(compare);
  const out: R[] = [];
  let i = 0;
  for (const r of rows) {
    if (d.gone.has(r)) continue;
    while (i < come.length && compare(come[i], r) < 0) out.push(come[i++]);
    out.push(r);
  }
  while (i < come.length) out.push(come[i++]);
  return out;
}
