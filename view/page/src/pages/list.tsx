// The objects of a kind, with the columns that the server gives it.
import { useEffect, useMemo, useReducer } from "preact/hooks";
import { discovered, idOf, kindOf, type Kind } from "../api/kinds";
import type { Column, TableReader, TableRow } from "../api/rows";
import type { Feed } from "../api/feed";
import { t, wordsVersion } from "../i18n";
import { href, namespace, objectLink, route, setQuery } from "../route";
import { Filter, Head, NamespaceChoice } from "../ui/head";
import { Grid, type GridColumn } from "../ui/grid";
import { Age, Empty, Problem, Status, toneOf } from "../ui/parts";
import { tableFeed, useSorted } from "../ui/use";

export function KindList({ id, title }: { id: string; title?: string }) {
  const k = kindOf(id);
  if (!k) return discovered.value ? <NoKind id={id} /> : null;
  return (
    <Objects key={id} kind={k} feed={tableFeed(k, k.namespaced ? namespace.value : "")} title={title ? t(title) : <>{k.kind}{k.group && <small>{k.group}</small>}</>}>
      {k.namespaced && <NamespaceChoice />}
    </Objects>
  );
}

export const NoKind = ({ id }: { id: string }) => <div class="page"><Head title={id} back={href(["kinds"])} /><Empty>{t("The server has no kind {id}", { id })}</Empty></div>;

/** A page of a kind's objects. */
export function Objects({ kind, feed, title, children }: { kind: Kind; feed: Feed<TableRow>; title: any; children?: any }) {
  const rows = useRows(feed);
  return (
    <div class="page full">
      <Head title={title} count={rows.length}>{children}<Filter /></Head>
      {/* Anew for other objects; what they are chosen by keeps the focus. */}
      <ObjectGrid key={feed.path} kind={kind} feed={feed} rows={rows} label={kind.kind} />
    </div>
  );
}

export const cellText = (v: any): string => (v === null || v === undefined ? "" : String(v));
const nothing = new Set(["", "<none>", "<unknown>", "<unset>"]);

/** The rows that the address bar's filter and order ask for. */
export function useRows(feed: Feed<TableRow>): TableRow[] {
  const q = (route.value.query.get("q") ?? "").toLowerCase(), sort = route.value.query.get("sort") ?? "";
  const columns = (feed.reader as TableReader).columns;
  const words = q.split(/\s+/).filter(Boolean);
  const passes = (r: TableRow) => words.every((w) => has(r, w));
  return useSorted(feed, passes, order(columns, sort), q + " " + sort + columns.length);
}

function has(r: TableRow, word: string): boolean {
  if (r.key.toLowerCase().includes(word)) return true;
  for (const c of r.cells) if (typeof c === "string" && c.toLowerCase().includes(word)) return true;
  for (const l in r.labels) if ((l + "=" + r.labels[l]).toLowerCase().includes(word)) return true;
  return false;
}

const byKey = (a: { key: string }, b: { key: string }) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0);

function order(columns: Column[], sort: string): (a: TableRow, b: TableRow) => number {
  const [by, down] = sort.split(":");
  const sign = down ? -1 : 1;
  if (!by || by === "Namespace") return (a, b) => sign * byKey(a, b);
  if (by === "Name") return (a, b) => sign * (a.name < b.name ? -1 : a.name > b.name ? 1 : byKey(a, b));
  if (by === "Age") return (a, b) => sign * (b.created - a.created) || byKey(a, b);
  const i = columns.findIndex((c) => c.name === by);
  return (a, b) => {
    const x = a.cells[i], y = b.cells[i], n = parseFloat(x) - parseFloat(y);
    const d = Number.isNaN(n) ? (cellText(x) < cellText(y) ? -1 : cellText(x) > cellText(y) ? 1 : 0) : n;
    return sign * d || byKey(a, b);
  };
}

// Columns that are shown although the server finds them of less importance, and those the other way round.
const shownToo: Record<string, string[]> = { pods: ["Node", "IP"], nodes: ["Internal-IP", "Container-Runtime"], deployments: ["Images"], services: ["Selector"] };
const widths: Record<string, string> = { Ready: "74px", Restarts: "110px", Age: "72px", Status: "minmax(110px,1.2fr)", "Up-to-date": "96px", Available: "88px", Desired: "80px", Current: "80px", IP: "118px", Type: "110px", Version: "minmax(120px,1fr)", Data: "64px", Namespace: "minmax(90px,1.2fr)" };

export function ObjectGrid({ kind, feed, rows, label, without = [] }: { kind: Kind; feed: Feed<TableRow>; rows: TableRow[]; label: string; without?: string[] }) {
  const reader = feed.reader as TableReader;
  const [, again] = useReducer((n: number) => n + 1, 0);
  useEffect(() => {
    reader.onColumns = () => again(0);
    again(0);
  }, [reader]);
  const withNamespace = kind.namespaced && !namespace.value;
  const columns = useMemo(() => gridColumns(kind, reader.columns, withNamespace).filter((c) => !without.includes(c.id)), [kind, reader.columns, withNamespace, wordsVersion()]);
  const state = feed.state.value;
  if (state.phase === "refused") return <Problem error={state.error!} retry={() => feed.retry()} />;
  if (!rows.length) {
    if (state.phase === "live") return <Empty>{route.value.query.get("q") ? t("Nothing passes the filter") : t("There are none")}</Empty>;
    if (state.error) return <Problem error={state.error} retry={() => feed.retry()} />;
    return <div class="grid waiting" aria-busy="true" />;
  }
  const sort = route.value.query.get("sort") ?? (kind.namespaced && !namespace.value ? "Namespace" : "Name");
  return (
    <Grid label={label} rows={rows} columns={columns} sort={sort} onSort={(s) => setQuery({ sort: s })} link={(r) => objectLink(idOf(kind), r.namespace, r.name)} tone={(r) => (r.deleting ? "leaving" : "")} />
  );
}

function gridColumns(kind: Kind, columns: Column[], withNamespace: boolean): GridColumn<TableRow>[] {
  const out: GridColumn<TableRow>[] = [];
  if (withNamespace) out.push({ id: "Namespace", title: t("Namespace"), width: widths.Namespace, narrow: 2, cell: (r) => <span class="soft">{r.namespace}</span> });
  const too = shownToo[kind.resource] ?? [];
  columns.forEach((c, i) => {
    if (c.priority > 0 && !too.includes(c.name)) return;
    const column: GridColumn<TableRow> = { id: c.name, title: t(c.name), width: widths[c.name] ?? "minmax(80px,1fr)", help: c.description?.split(". ")[0], cell: (r) => value(c, r.cells[i]) };
    if (c.name === "Name") Object.assign(column, { width: "minmax(160px,2.6fr)", narrow: 1, cell: (r: TableRow) => <a class="name" tabIndex={-1} href={objectLink(idOf(kind), r.namespace, r.name)}>{r.name}</a> });
    else if (c.name === "Age") Object.assign(column, { right: true, narrow: 2, cell: (r: TableRow) => <Age at={r.created} /> });
    else if (c.name === "Status" || c.name === "Phase") column.narrow = 2;
    else if (c.name === "Ready") column.narrow = 2;
    if (c.type === "integer" || c.type === "number") column.right = true;
    out.push(column);
  });
  return out;
}

function value(c: Column, v: any) {
  const text = cellText(v);
  if (nothing.has(text)) return <span class="faint">—</span>;
  if (c.name === "Status" || c.name === "Phase") return <Status value={text} />;
  if (c.format === "date-time") return <Age at={Date.parse(text)} />;
  if (c.name === "Ready" && /^\d+\/\d+$/.test(text)) {
    const [have, want] = text.split("/");
    return <span class={"ratio " + (have === want ? "" : "short")}>{text}</span>;
  }
  return <span class={toneOf(text) === "bad" ? "bad" : ""} title={text.length > 24 ? text : undefined}>{text}</span>;
}
