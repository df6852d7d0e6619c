// A list of any length, of which only what is seen is drawn. Arrow keys and j, k move, Enter opens.
import type { ComponentChildren, VNode } from "preact";
import { useCallback, useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { go } from "../route";
import { useSize } from "./use";

export interface GridColumn<R> {
  id: string;
  title: string;
  /** A track of CSS grid. */
  width: string;
  cell: (r: R) => ComponentChildren;
  right?: boolean;
  sortable?: boolean;
  /** What is kept on a narrow screen, and where: first line or second. */
  narrow?: 1 | 2;
  /** Said when the title is pointed at. */
  help?: string;
}

const tall = 36, narrowTall = 58;

export function Grid<R extends { key: string }>(p: {
  label: string; rows: R[]; columns: GridColumn<R>[]; link?: (r: R) => string | undefined; sort?: string; onSort?: (id: string) => void; tone?: (r: R) => string;
}) {
  const [ref, size] = useSize();
  const body = useRef<HTMLDivElement | null>(null);
  const [top, setTop] = useState(0);
  const [current, setCurrent] = useState(-1);
  const currentKey = useRef("");
  const hold = useCallback((el: HTMLElement | null) => {
    body.current = el as HTMLDivElement | null;
    ref(el);
  }, []);
  const narrow = size.width > 0 && size.width < 620;
  const height = narrow ? narrowTall : tall;
  const seen = Math.ceil((size.height || 600) / height);
  const from = Math.max(0, Math.floor(top / height) - 6);
  const to = Math.min(p.rows.length, from + seen + 12);
  const tracks = p.columns.map((c) => c.width).join(" ");
  const [by, down] = (p.sort ?? "").split(":");

  // The row that is current stays so when others come and go above it.
  if (currentKey.current && p.rows[current]?.key !== currentKey.current) {
    const at = p.rows.findIndex((r) => r.key === currentKey.current);
    if (at !== current) queueMicrotask(() => setCurrent(at));
  }
  const choose = (n: number) => {
    const at = Math.max(0, Math.min(p.rows.length - 1, n));
    setCurrent(at);
    currentKey.current = p.rows[at]?.key ?? "";
    const el = body.current!, y = at * height, room = el.clientHeight - (narrow ? 0 : tall);
    if (y < el.scrollTop) el.scrollTop = y;
    else if (y + height > el.scrollTop + room) el.scrollTop = y + height - room;
  };
  const open = (n: number) => {
    const to = p.rows[n] && p.link?.(p.rows[n]);
    if (to) go(to);
  };
  const key = (e: KeyboardEvent) => {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    if (e.key === "Enter" && e.target !== body.current) return; // a heading that sorts
    const page = Math.max(1, seen - 2);
    const moves: Record<string, number> = { ArrowDown: current + 1, j: current + 1, ArrowUp: current - 1, k: current - 1, PageDown: current + page, PageUp: current - page, Home: 0, End: p.rows.length - 1 };
    if (e.key in moves) choose(moves[e.key]);
    else if (e.key === "Enter" || e.key === "o") open(current);
    else return;
    e.preventDefault();
  };
  // The first j or k of a page is for its list, wherever the focus is.
  useEffect(() => {
    const first = (e: KeyboardEvent) => {
      if ((e.key === "j" || e.key === "k" || e.key === "ArrowDown") && e.target === document.body && body.current) {
        body.current.focus();
        key(e);
      }
    };
    document.addEventListener("keydown", first);
    return () => document.removeEventListener("keydown", first);
  });
  useLayoutEffect(() => {
    if (body.current && body.current.scrollTop !== top) setTop(body.current.scrollTop);
  }, [p.rows.length]);

  // Rows that are as they were are not drawn again: whoever scrolls or is told of changes pays for those that differ.
  const drawn = useRef<{ columns?: unknown; narrow?: boolean; rows: Map<string, [R, number, boolean, VNode]> }>({ rows: new Map() }).current;
  if (drawn.columns !== p.columns || drawn.narrow !== narrow) Object.assign(drawn, { columns: p.columns, narrow, rows: new Map() });
  const act = useRef({ choose });
  act.current = { choose };
  const row = (r: R, n: number): VNode => {
    const was = drawn.rows.get(r.key);
    if (was && was[0] === r && was[1] === n && was[2] === (n === current)) return was[3];
    const made = draw(r, n);
    if (drawn.rows.size > 1000) drawn.rows.clear();
    drawn.rows.set(r.key, [r, n, n === current, made]);
    return made;
  };
  const draw = (r: R, n: number): VNode => {
    const to = p.link?.(r);
    const cells = narrow ? p.columns.filter((c) => c.narrow) : p.columns;
    const inner = narrow ? (
      [1, 2].map((line) => (
        <span class={"line line" + line} key={line} role="presentation">
          {cells.filter((c) => c.narrow === line).map((c) => <span key={c.id} role="gridcell" class="cell">{c.cell(r)}</span>)}
        </span>
      ))
    ) : cells.map((c) => <span key={c.id} role="gridcell" class={"cell" + (c.right ? " right" : "")}>{c.cell(r)}</span>);
    return (
      <div key={r.key} id={"row-" + n} role="row" aria-rowindex={n + 2} aria-selected={n === current} class={`row ${to ? "opens" : ""} ${p.tone?.(r) ?? ""}`}
        style={{ top: n * height + "px", height: height + "px", gridTemplateColumns: narrow ? undefined : tracks }}
        onClick={(e) => {
          act.current.choose(n);
          // A name that is being selected, or a link of its own, is not a click on the row.
          if (!to || (e.target as Element).closest("a, button") || String(getSelection()) !== "") return;
          if (e.ctrlKey || e.metaKey) window.open(to, "_blank", "noopener");
          else go(to);
        }}>
        {inner}
      </div>
    );
  };

  // Grid and scroller are one element, so that what has the focus is also what scrolls.
  return (
    <div class={"grid" + (narrow ? " narrow" : "")} role="grid" tabIndex={0} aria-label={p.label} aria-rowcount={p.rows.length + 1} aria-colcount={p.columns.length}
      aria-activedescendant={current >= from && current < to ? "row-" + current : undefined}
      ref={hold}
      onScroll={(e) => setTop(e.currentTarget.scrollTop)} onKeyDown={key} onFocus={() => current < 0 && p.rows.length > 0 && setCurrent(0)}>
      <div role="rowgroup" class="head-group">
        <div role="row" aria-rowindex={1} class="row head" style={{ gridTemplateColumns: tracks }}>
          {p.columns.map((c) => (
            <span key={c.id} role="columnheader" class={"cell" + (c.right ? " right" : "")} aria-sort={by === c.id ? (down ? "descending" : "ascending") : undefined} title={c.help}>
              {p.onSort && c.sortable !== false ? (
                <button type="button" class="sort" onClick={() => p.onSort!(by === c.id && !down ? c.id + ":down" : c.id)}>
                  {c.title}<span aria-hidden="true" class="arrow">{by === c.id ? (down ? "↓" : "↑") : ""}</span>
                </button>
              ) : c.title}
            </span>
          ))}
        </div>
      </div>
      <div role="rowgroup" class="runway" style={{ height: p.rows.length * height + "px" }}>
        {p.rows.slice(from, to).map((r, i) => row(r, from + i))}
      </div>
    </div>
  );
}
