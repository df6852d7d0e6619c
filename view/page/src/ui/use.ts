// Hooks that join pages to feeds.
import { useEffect, useReducer, useRef, useState } from "preact/hooks";
import type { Feed, Row } from "../api/feed";
import { merge } from "../api/merge";
import { objects, TableReader, type ObjectRow, type TableRow } from "../api/rows";
import { feed } from "../api/feed";
import { pathOf, type Kind } from "../api/kinds";

export const tableFeed = (k: Kind, ns: string, query = ""): Feed<TableRow> => feed(pathOf(k, ns), query, new TableReader());
export const objectFeed = (k: Kind, ns: string, query = ""): Feed<ObjectRow> => feed(pathOf(k, ns), query, objects);

/** Draws again whenever the feed changes. */
export function useFeed<R extends Row>(f: Feed<R> | undefined): Feed<R> | undefined {
  const [, again] = useReducer((n: number) => n + 1, 0);
  useEffect(() => f?.look(() => again(0)), [f]);
  return f;
}

/** All objects of a feed, in no order. */
export function useObjects(f: Feed<ObjectRow> | undefined): any[] {
  useFeed(f);
  return f ? [...f.rows.values()].map((r) => r.object) : [];
}

/** One object, watched. */
export function useObject(k: Kind | undefined, ns: string, name: string): { object?: any; feed?: Feed<ObjectRow> } {
  const f = k ? objectFeed(k, ns, "fieldSelector=" + encodeURIComponent("metadata.name=" + name)) : undefined;
  useFeed(f);
  return { object: f && [...f.rows.values()][0]?.object, feed: f };
}

/** A feed's rows that pass, in order. A change costs a step through them, not a sort: there may be 100,000. */
export function useSorted<R extends Row>(f: Feed<R>, passes: (r: R) => boolean, compare: (a: R, b: R) => number, how: string): R[] {
  const [, again] = useReducer((n: number) => n + 1, 0);
  const state = useRef<{ feed?: Feed<R>; how?: string; rows: R[]; drawn?: R[]; spare?: R[] }>({ rows: [] });
  const s = state.current;
  const fresh = () => {
    f.settle();
    s.rows = [...f.rows.values()].filter(passes).sort(compare);
    s.feed = f;
    s.how = how;
  };
  if (s.feed !== f || s.how !== how) fresh();
  const latest = useRef({ passes, compare });
  latest.current = { passes, compare };
  useEffect(() => {
    const leave = f.look((d) => {
      if (s.feed !== f) return;
      const old = s.rows;
      s.rows = merge(old, d, latest.current.passes, latest.current.compare, s.spare);
      s.spare = old === s.drawn ? undefined : old;
      again(0);
    });
    fresh(); // what changed before somebody looked
    again(0);
    return leave;
  }, [f]);
  // Of two arrays one is drawn and the other takes the next change. What is drawn stays as it is.
  if (s.drawn !== s.rows) [s.spare, s.drawn] = [s.drawn, s.rows];
  return s.rows;
}

/** The size of an element, as it changes. */
export function useSize(): [(el: HTMLElement | null) => void, { width: number; height: number }] {
  const [size, set] = useState({ width: 0, height: 0 });
  const observer = useRef<ResizeObserver | undefined>(undefined);
  const ref = useRef((el: HTMLElement | null) => {
    observer.current?.disconnect();
    if (!el) return;
    const measure = () => set((was) => (was.width === el.clientWidth && was.height === el.clientHeight ? was : { width: el.clientWidth, height: el.clientHeight }));
    measure();
    observer.current = new ResizeObserver(measure);
    observer.current.observe(el);
  });
  return [ref.current, size];
}
