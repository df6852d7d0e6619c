import type { Delta, Row } from "./feed";

/** Rows in order, with what has changed: one step through them, no sort of all. They are written into an array that nobody uses any
 * more, if there is one: with 100,000 rows a new one for each change is what fills a browser's memory. */
export function merge<R extends Row>(rows: R[], d: Delta<R>, passes: (r: R) => boolean, compare: (a: R, b: R) => number, into: R[] = []): R[] {
  const come = d.come.filter(passes).sort(compare);
  let i = 0, n = 0;
  for (const r of rows) {
    if (d.gone.has(r)) continue;
    while (i < come.length && compare(come[i], r) < 0) into[n++] = come[i++];
    into[n++] = r;
  }
  while (i < come.length) into[n++] = come[i++];
  into.length = n;
  return into;
}
