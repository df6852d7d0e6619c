// What happened lately, newest first.
import { kindOf, kindNamed, idOf } from "../api/kinds";
import type { ObjectRow } from "../api/rows";
import { t } from "../i18n";
import { namespace, objectLink, route, setQuery } from "../route";
import { Filter, Head, NamespaceChoice } from "../ui/head";
import { Grid, type GridColumn } from "../ui/grid";
import { Age, Button, Empty, Problem, Status } from "../ui/parts";
import { objectFeed, useFeed, useSorted } from "../ui/use";
import type { Shown } from "./shown";

export const lastSeen = (e: any): number => Date.parse(e.series?.lastObservedTime ?? e.lastTimestamp ?? e.eventTime ?? e.firstTimestamp ?? e.metadata.creationTimestamp);
const times = (e: any): number => e.series?.count ?? e.count ?? 1;
export const newestFirst = (a: ObjectRow, b: ObjectRow) => lastSeen(b.object) - lastSeen(a.object) || (a.key < b.key ? -1 : 1);

export function eventTarget(e: any): string | undefined {
  const o = e.involvedObject ?? {};
  const k = kindNamed(o.apiVersion ?? "v1", o.kind);
  return k && o.name ? objectLink(idOf(k), k.namespaced ? o.namespace : "", o.name) : undefined;
}

const columns: GridColumn<ObjectRow>[] = [
  { id: "Last Seen", get title() { return t("Last Seen"); }, width: "80px", narrow: 2, right: true, sortable: false, cell: (r) => <Age at={lastSeen(r.object)} /> },
  { id: "Type", get title() { return t("Type"); }, width: "104px", narrow: 2, sortable: false, cell: (r) => <Status value={r.object.type ?? ""} /> },
  { id: "Reason", get title() { return t("Reason"); }, width: "minmax(110px,.8fr)", narrow: 2, sortable: false, cell: (r) => r.object.reason },
  {
    id: "Object", get title() { return t("Object"); }, width: "minmax(140px,1.4fr)", sortable: false,
    cell: ({ object: { involvedObject: o = {} as any } }) => <span title={o.namespace}><span class="soft">{o.kind} </span>{o.name}</span>,
  },
  { id: "Message", get title() { return t("Message"); }, width: "minmax(200px,3fr)", narrow: 1, sortable: false, cell: (r) => <span title={r.object.message}>{r.object.message}</span> },
  { id: "Count", get title() { return t("Count"); }, width: "56px", right: true, sortable: false, cell: (r) => times(r.object) },
];

export function Events() {
  const f = objectFeed(kindOf("events")!, namespace.value);
  const q = (route.value.query.get("q") ?? "").toLowerCase(), type = route.value.query.get("type") ?? "";
  const words = q.split(/\s+/).filter(Boolean);
  const passes = ({ object: e }: ObjectRow) => (!type || e.type === type) && words.every((w) => `${e.reason} ${e.message} ${e.involvedObject?.kind} ${e.involvedObject?.name} ${e.involvedObject?.namespace}`.toLowerCase().includes(w));
  const rows = useSorted(f, passes, newestFirst, q + " " + type);
  const state = f.state.value;
  return (
    <div class="page full">
      <Head title={t("Events")} count={rows.length}>
        <Button pressed={type === "Warning"} onClick={() => setQuery({ type: type ? "" : "Warning" })}>{t("Warnings only")}</Button>
        <NamespaceChoice />
        <Filter />
      </Head>
      {state.phase === "refused" ? <Problem error={state.error!} retry={() => f.retry()} />
        : rows.length ? <Grid label={t("Events")} rows={rows} columns={columns} link={(r) => eventTarget(r.object)} />
        : state.phase === "live" ? <Empty>{q || type ? t("Nothing passes the filter") : t("Nothing happened lately: Events are kept for an hour")}</Empty> : <div class="grid waiting" aria-busy="true" />}
    </div>
  );
}

export function ObjectEvents({ object, ns }: Shown) {
  // Those of what has no namespace are in the namespace default.
  const f = objectFeed(kindOf("events")!, ns || "default", "fieldSelector=" + encodeURIComponent(object.kind === "Node" ? "involvedObject.kind=Node,involvedObject.name=" + object.metadata.name : "involvedObject.uid=" + object.metadata.uid));
  useFeed(f);
  const state = f.state.value;
  if (state.phase === "refused") return <Problem error={state.error!} retry={() => f.retry()} />;
  const list = [...f.rows.values()].sort(newestFirst);
  if (!list.length) return state.phase === "live" ? <Empty>{t("Nothing happened lately: Events are kept for an hour")}</Empty> : <div class="waiting" aria-busy="true" />;
  return (
    <ul class="event-list">
      {list.map(({ key, object: e }) => (
        <li key={key}><Age at={lastSeen(e)} /><Status value={e.type} /><strong>{e.reason}</strong><span>{e.message}{times(e) > 1 && <small> × {times(e)}</small>}</span></li>
      ))}
    </ul>
  );
}
