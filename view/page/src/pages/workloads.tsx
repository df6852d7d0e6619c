// What is to run, of whatever kind, and how far it is.
import { kindOf, idOf } from "../api/kinds";
import { t } from "../i18n";
import { namespace, objectLink, route, setQuery } from "../route";
import { Filter, Head, NamespaceChoice } from "../ui/head";
import { Grid, type GridColumn } from "../ui/grid";
import { Age, Empty, Problem, Status } from "../ui/parts";
import { objectFeed, useFeed } from "../ui/use";
import { replicas, statusOf } from "./status";

const ids = ["deployments.apps", "statefulsets.apps", "daemonsets.apps", "jobs.batch", "cronjobs.batch"];

interface Workload {
  key: string;
  id: string;
  object: any;
}

/** Workloads of a namespace, or of all; what a CronJob made is not shown besides it. */
export function useWorkloads(ns: string): Workload[] {
  const out: Workload[] = [];
  for (const id of ids) {
    const f = useFeed(objectFeed(kindOf(id)!, ns))!;
    for (const r of f.rows.values()) if (!r.object.metadata.ownerReferences?.some((o: any) => o.controller && o.kind === "CronJob")) out.push({ key: id + " " + r.key, id, object: r.object });
  }
  return out;
}

export const feedsOf = (ns: string) => ids.map((id) => objectFeed(kindOf(id)!, ns));

/** Ready of wanted, as a bar; what is not yet of the new template is hatched. */
export function Progress({ object: o }: { object: any }) {
  if (o.kind === "CronJob") return <span class="soft">{o.spec.schedule}</span>;
  const job = o.kind === "Job";
  const r = job ? { want: o.spec?.completions ?? 1, ready: o.status?.succeeded ?? 0, updated: o.spec?.completions ?? 1, have: 0 } : replicas(o);
  const part = r.want ? Math.min(1, r.ready / r.want) : 1;
  const rolling = r.updated < r.want;
  return (
    <span class="progress" title={t("{ready} of {want} ready, {updated} of the newest kind", r)}>
      <span class="bar" aria-hidden="true"><i class={part < 1 ? "busy" : "good"} style={{ width: part * 100 + "%" }} /></span>
      <span class={part < 1 ? "ratio short" : "ratio"}>{r.ready}/{r.want}</span>
      {rolling && !job && <small>{t("{updated} new", { updated: r.updated })}</small>}
    </span>
  );
}

export const imagesOf = (o: any): string[] => ((o.spec?.template ?? o.spec?.jobTemplate?.spec?.template)?.spec?.containers ?? []).map((c: any) => c.image);
export const shortImage = (image: string) => image.replace(/@sha256:(\w{8})\w+/, "@$1").replace(/^.*\//, "");

export function Workloads() {
  const ns = namespace.value, q = (route.value.query.get("q") ?? "").toLowerCase(), sort = route.value.query.get("sort") ?? "Name";
  const all = useWorkloads(ns);
  const [by, down] = sort.split(":");
  const of: Record<string, (w: Workload) => string | number> = {
    Name: (w) => w.object.metadata.name, Namespace: (w) => w.object.metadata.namespace, Kind: (w) => w.object.kind, Status: (w) => statusOf(w.object), Age: (w) => -Date.parse(w.object.metadata.creationTimestamp),
    Ready: (w) => { const r = replicas(w.object); return r.want ? r.ready / r.want : 1; }, Images: (w) => imagesOf(w.object).join(),
  };
  const words = q.split(/\s+/).filter(Boolean);
  const rows = all.filter((w) => words.every((x) => `${w.object.kind} ${w.object.metadata.namespace}/${w.object.metadata.name} ${statusOf(w.object)} ${imagesOf(w.object).join(" ")} ${Object.entries(w.object.metadata.labels ?? {}).map((l) => l.join("=")).join(" ")}`.toLowerCase().includes(x)));
  rows.sort((a, b) => {
    const x = of[by]?.(a) ?? "", y = of[by]?.(b) ?? "";
    return (x < y ? -1 : x > y ? 1 : 0) * (down ? -1 : 1) || (a.key < b.key ? -1 : 1);
  });
  const columns: GridColumn<Workload>[] = [
    { id: "Name", title: t("Name"), width: "minmax(150px,2fr)", narrow: 1, cell: (w) => <a class="name" tabIndex={-1} href={link(w)}>{w.object.metadata.name}</a> },
    { id: "Kind", title: t("Kind"), width: "108px", narrow: 2, cell: (w) => <span class="soft">{w.object.kind}</span> },
    ...(ns ? [] : [{ id: "Namespace", title: t("Namespace"), width: "minmax(90px,1fr)", cell: (w: Workload) => <span class="soft">{w.object.metadata.namespace}</span> }]),
    { id: "Status", title: t("Status"), width: "minmax(100px,1fr)", cell: (w) => { const s = statusOf(w.object); return s ? <Status value={s} /> : <span class="faint">—</span>; } },
    { id: "Ready", title: t("Ready"), width: "minmax(150px,1.2fr)", narrow: 2, cell: (w) => <Progress object={w.object} /> },
    { id: "Images", title: t("Images"), width: "minmax(120px,2fr)", cell: (w) => <span class="soft" title={imagesOf(w.object).join("\n")}>{imagesOf(w.object).map(shortImage).join(", ")}</span> },
    { id: "Age", title: t("Age"), width: "70px", right: true, narrow: 2, cell: (w) => <Age at={Date.parse(w.object.metadata.creationTimestamp)} /> },
  ];
  const states = feedsOf(ns).map((f) => f.state.value);
  const refused = states.filter((s) => s.phase === "refused");
  return (
    <div class="page full">
      <Head title={t("Workloads")} count={rows.length}><NamespaceChoice /><Filter /></Head>
      {refused.length > 0 && <Problem error={refused[0].error!} retry={() => feedsOf(ns).forEach((f) => f.retry())} />}
      {rows.length ? <Grid label={t("Workloads")} rows={rows} columns={columns} sort={sort} onSort={(s) => setQuery({ sort: s })} link={link} />
        : states.every((s) => s.phase === "live" || s.phase === "refused") ? <Empty>{q ? t("Nothing passes the filter") : t("There are none")}</Empty> : <div class="grid waiting" aria-busy="true" />}
    </div>
  );
}

const link = (w: Workload) => objectLink(idOf(kindOf(w.id)!), w.object.metadata.namespace, w.object.metadata.name, w.id.endsWith(".apps") ? "rollout" : "");
