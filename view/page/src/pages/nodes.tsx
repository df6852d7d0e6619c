// Nodes, with what runs on them.
import { useState } from "preact/hooks";
import { kindOf } from "../api/kinds";
import type { TableReader, TableRow } from "../api/rows";
import { t } from "../i18n";
import { href, objectLink, route, setQuery } from "../route";
import { Filter, Head } from "../ui/head";
import { Grid, type GridColumn } from "../ui/grid";
import { Age, Button, Empty, Problem, Status, toneOf, type Tone } from "../ui/parts";
import { tableFeed, useSize, useSorted } from "../ui/use";
import { useCounts, type Counts } from "./bynode";
import { ObjectGrid, useRows } from "./list";
import type { Shown } from "./shown";

const order: Tone[] = ["bad", "busy", "good", "calm", "done"];

/** Pods as dots, the worst first. */
export function Dots({ counts, columns, size = 5, most = 400 }: { counts?: Counts; columns: number; size?: number; most?: number }) {
  const step = size + 2;
  let n = 0;
  const paths = order.map((tone) => {
    let d = "";
    for (let i = 0; i < Math.min(counts?.[tone] ?? 0, most) && n < most; i++, n++) d += `M${(n % columns) * step} ${Math.floor(n / columns) * step}h${size}v${size}h-${size}z`;
    return d && <path key={tone} class={"dot " + tone} d={d} />;
  });
  const lines = Math.max(1, Math.ceil(n / columns));
  return <svg class="dots" width={columns * step} height={lines * step} aria-hidden="true">{paths}</svg>;
}

export function saying(c?: Counts): string {
  if (!c?.all) return t("no Pods");
  return [t("{n} Pods", { n: c.all }), c.bad && t("{n} failing", { n: c.bad }), c.busy && t("{n} not ready", { n: c.busy })].filter(Boolean).join(", ");
}

const cellOf = (reader: TableReader, r: TableRow, name: string) => String(r.cells[reader.columns.findIndex((c) => c.name === name)] ?? "");

export function Nodes() {
  const f = tableFeed(kindOf("nodes")!, "");
  const counts = useCounts(tableFeed(kindOf("pods")!, "")).nodes;
  const reader = f.reader as TableReader;
  const map = route.value.query.get("as") === "map";
  const sort = route.value.query.get("sort") ?? "Name";
  const rows = useNodeRows(f, sort, counts);
  const state = f.state.value;
  const columns: GridColumn<TableRow>[] = [
    { id: "Name", title: t("Name"), width: "minmax(130px,1.3fr)", narrow: 1, cell: (r) => <a class="name" tabIndex={-1} href={objectLink("nodes", "", r.name)}>{r.name}</a> },
    { id: "Status", title: t("Status"), width: "minmax(110px,.9fr)", narrow: 2, cell: (r) => <Status value={cellOf(reader, r, "Status")} /> },
    { id: "Pods", title: t("Pods"), width: "52px", right: true, cell: (r) => counts.get(r.name)?.all ?? 0 },
    { id: "Runs", title: t("What runs on it"), width: "minmax(240px,3fr)", sortable: false, cell: (r) => <span title={saying(counts.get(r.name))}><Dots counts={counts.get(r.name)} columns={66} most={132} /></span> },
    { id: "Trouble", title: t("Trouble"), width: "minmax(90px,1fr)", narrow: 2, sortable: false, cell: (r) => <Trouble counts={counts.get(r.name)} /> },
    { id: "Roles", title: t("Roles"), width: "90px", cell: (r) => <span class="soft">{cellOf(reader, r, "Roles").replace("<none>", "—")}</span> },
    { id: "Version", title: t("Version"), width: "minmax(110px,.8fr)", cell: (r) => <span class="soft">{cellOf(reader, r, "Version")}</span> },
    { id: "Age", title: t("Age"), width: "70px", right: true, narrow: 2, cell: (r) => <Age at={r.created} /> },
  ];
  return (
    <div class="page full">
      <Head title={t("Nodes")} count={rows.length}>
        <Button pressed={map} onClick={() => setQuery({ as: map ? "" : "map" })}>{t("As a map")}</Button>
        <Filter />
      </Head>
      {state.phase === "refused" ? <Problem error={state.error!} retry={() => f.retry()} />
        : !rows.length ? (state.phase === "live" ? <Empty>{t("There are no nodes")}</Empty> : <div class="grid waiting" aria-busy="true" />)
        : map ? <div class="mapscroll"><NodeMap rows={rows} counts={counts} reader={reader} /></div>
        : <Grid label={t("Nodes")} rows={rows} columns={columns} sort={sort} onSort={(s) => setQuery({ sort: s })} link={(r) => objectLink("nodes", "", r.name, "pods")} />}
    </div>
  );
}

const Trouble = ({ counts: c }: { counts?: Counts }) => (
  <>
    {!!c?.bad && <span class="bad">{t("{n} failing", { n: c.bad })} </span>}
    {!!c?.busy && <span class="soft">{t("{n} not ready", { n: c.busy })}</span>}
  </>
);

function useNodeRows(f: ReturnType<typeof tableFeed>, sort: string, counts: Map<string, Counts>): TableRow[] {
  const reader = f.reader as TableReader;
  const q = (route.value.query.get("q") ?? "").toLowerCase();
  const [by, down] = sort.split(":");
  const sign = down ? -1 : 1;
  const of = (r: TableRow): string | number => (by === "Age" ? -r.created : by === "Pods" ? counts.get(r.name)?.all ?? 0 : by === "Name" ? r.name : cellOf(reader, r, by));
  const compare = (a: TableRow, b: TableRow) => {
    const x = of(a), y = of(b);
    return x < y ? -sign : x > y ? sign : a.name < b.name ? -1 : 1;
  };
  const passes = (r: TableRow) => q.split(/\s+/).every((w) => r.name.toLowerCase().includes(w) || r.cells.some((c) => String(c).toLowerCase().includes(w)) || Object.entries(r.labels).some((l) => l.join("=").includes(w)));
  const rows = useSorted(f, passes, compare, q + sort + reader.columns.length);
  return by === "Pods" ? [...rows].sort(compare) : rows; // counts change without the rows
}

// Drawn again only when its own node or Pods have changed: there may be a thousand.
function Tile({ name, status, counts: c, small }: { name: string; status: string; counts?: Counts; small: boolean }) {
  const says = `${name}: ${t(status)}, ${saying(c)}`;
  return (
    <li>
      <a class={"tile " + toneOf(status)} href={objectLink("nodes", "", name, "pods")} title={says} aria-label={says}>
        {!small && <header><span>{name}</span>{toneOf(status) === "good" ? <small>{c?.all ?? 0}</small> : <Status value={status} />}</header>}
        <Dots counts={c} columns={small ? 10 : 20} size={small ? 3 : 5} most={small ? 120 : 300} />
      </a>
    </li>
  );
}

interface MapOf {
  rows: TableRow[];
  counts: Map<string, Counts>;
  reader: TableReader;
  pending?: boolean;
}

/** All nodes at once, as tiles: small ones, of which only those that are seen are drawn, if they are many. */
export function NodeMap(p: MapOf) {
  if (p.rows.length > 80) return <SmallMap {...p} />;
  return <ul class="node-map">{p.rows.map((r) => <NodeTile key={r.key} {...p} row={r} />)}<Nowhere {...p} /></ul>;
}

const NodeTile = ({ row, counts, reader, small = false }: MapOf & { row: TableRow; small?: boolean }) => <Tile name={row.name} status={cellOf(reader, row, "Status")} counts={counts.get(row.name)} small={small} />;

function Nowhere({ counts, pending, small }: MapOf & { small?: boolean }) {
  const nowhere = counts.get("<none>");
  if (!pending || !nowhere?.all) return null;
  return <li><a class="tile nowhere" href={href(["pods"], { q: "pending", ns: "" })}><header><span>{t("On no node")}</span><small>{nowhere.all}</small></header>{!small && <Dots counts={nowhere} columns={20} />}</a></li>;
}

const gap = 6, wide = 66, tall = 66; // as in style.css

function SmallMap(p: MapOf) {
  const [ref, size] = useSize();
  const [top, setTop] = useState(0);
  const columns = Math.max(1, Math.floor((size.width + gap) / (wide + gap))), lines = Math.ceil((p.rows.length + (p.pending ? 1 : 0)) / columns);
  const from = Math.max(0, Math.min(lines - 1, Math.floor(top / (tall + gap)) - 2)), to = from + Math.ceil((size.height || 400) / (tall + gap)) + 4;
  return (
    <div class="small-map" ref={ref} onScroll={(e) => setTop(e.currentTarget.scrollTop)}>
      <ul class="node-map small" style={{ gridTemplateColumns: `repeat(${columns}, 1fr)`, height: lines * (tall + gap) + "px", paddingTop: from * (tall + gap) + "px" }}>
        {p.rows.slice(from * columns, to * columns).map((r) => <NodeTile key={r.key} {...p} row={r} small />)}
        {to >= lines && <Nowhere {...p} small />}
      </ul>
    </div>
  );
}

/** The Pods of one node. */
export function NodePods({ name }: Shown) {
  const pods = kindOf("pods")!;
  const f = tableFeed(pods, "", "fieldSelector=" + encodeURIComponent("spec.nodeName=" + name));
  const rows = useRows(f);
  return <><div class="toolbar"><Filter /><span class="soft">{t("{n} Pods", { n: rows.length })}</span></div><ObjectGrid kind={pods} feed={f} rows={rows} label={t("Pods on {name}", { name })} without={["Node"]} /></>;
}
