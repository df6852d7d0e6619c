// The cluster at a glance.
import type { ComponentChildren } from "preact";
import { kindOf } from "../api/kinds";
import type { TableReader, TableRow } from "../api/rows";
import { t } from "../i18n";
import { href, objectLink } from "../route";
import { now } from "../time";
import { Head } from "../ui/head";
import { Age, Empty, Mark, Problem, Status, toneOf, type Tone } from "../ui/parts";
import { objectFeed, tableFeed, useFeed, useSorted } from "../ui/use";
import { podCells, podTone, useCounts } from "./bynode";
import { eventTarget, lastSeen, newestFirst } from "./events";
import { NodeMap } from "./nodes";
import { Card } from "./summary";
import { shown } from "../session";
import { useWorkloads } from "./workloads";
import { rolledOut } from "./status";

export function Overview() {
  const nodes = tableFeed(kindOf("nodes")!, ""), pods = tableFeed(kindOf("pods")!, "");
  const rows = useSorted(nodes, () => true, (a, b) => (a.name < b.name ? -1 : 1), "");
  const counts = useCounts(pods);
  const reader = nodes.reader as TableReader;
  const status = reader.columns.findIndex((c) => c.name === "Status");
  const ready = rows.filter((r) => toneOf(String(r.cells[status])) === "good").length;
  const workloads = useWorkloads("");
  const lasting = workloads.filter((w) => ["Deployment", "StatefulSet", "DaemonSet"].includes(w.object.kind));
  const complete = lasting.filter((w) => rolledOut(w.object)).length;
  const warnings = useWarnings();
  const c = counts.all;
  return (
    <div class="page overview">
      <Head title={shown.value?.context || location.host} />
      <div class="figures">
        <Figure to={href(["nodes"])} name={t("Nodes")} n={rows.length} parts={[["good", ready], ["bad", rows.length - ready]]} says={!rows.length ? t("none") : rows.length === ready ? t("all ready") : t("{n} not ready", { n: rows.length - ready })} refused={nodes.state.value.error} />
        <Figure to={href(["pods"], { ns: "" })} name={t("Pods")} n={c.all} parts={[["bad", c.bad], ["busy", c.busy], ["good", c.good], ["done", c.done + c.calm]]}
          says={[c.bad && t("{n} failing", { n: c.bad }), c.busy && t("{n} not ready", { n: c.busy.toLocaleString() })].filter(Boolean).join(", ") || (c.all ? t("all well") : t("none"))} refused={pods.state.value.error} />
        <Figure to={href(["workloads"], { ns: "" })} name={t("Workloads")} n={lasting.length} parts={[["good", complete], ["busy", lasting.length - complete]]} says={!lasting.length ? t("none") : complete === lasting.length ? t("all complete") : t("{n} not complete", { n: lasting.length - complete })} />
        <Figure to={href(["events"], { type: "Warning", ns: "" })} name={t("Warnings, last hour")} n={warnings.length} parts={[]} says={warnings[0] ? warnings[0].object.reason : t("none")} />
      </div>
      {nodes.state.value.phase === "refused" ? <Problem error={nodes.state.value.error!} retry={() => nodes.retry()} /> : rows.length > 0 && (
        <Card title={t("Nodes and their Pods")} wide tools={<Legend />}><NodeMap rows={rows} counts={counts.nodes} reader={reader} pending /></Card>
      )}
      <div class="columns">
        <Failing feed={pods} counts={counts.reasons} />
        <Card title={t("Latest warnings")}>
          {warnings.length ? (
            <ul class="short-list">
              {warnings.slice(0, 8).map(({ key, object: e }) => (
                <li key={key}><Age at={lastSeen(e)} /><a href={eventTarget(e) ?? href(["events"])}><strong>{e.reason}</strong> <span class="soft">{e.involvedObject?.kind}</span> {e.involvedObject?.name}<small>{e.message}</small></a></li>
              ))}
            </ul>
          ) : <Empty>{t("none")}</Empty>}
        </Card>
      </div>
    </div>
  );
}

function useWarnings() {
  const f = objectFeed(kindOf("events")!, "", "fieldSelector=type%3DWarning");
  const rows = useSorted(f, () => true, newestFirst, "");
  const since = now.value - 3600_000;
  return rows.filter((r) => lastSeen(r.object) > since);
}

const Legend = () => (
  <span class="legend">{([["good", "well"], ["busy", "not ready"], ["bad", "failing"], ["done", "done"]] as [Tone, string][]).map(([tone, word]) => <span key={tone}><svg width="8" height="8" aria-hidden="true"><path class={"dot " + tone} d="M0 0h8v8H0z" /></svg>{t(word)}</span>)}</span>
);

function Figure({ to, name, n, parts, says, refused }: { to: string; name: string; n: number; parts: [Tone, number][]; says: ComponentChildren; refused?: Error }) {
  const all = parts.reduce((sum, [, x]) => sum + x, 0);
  return (
    <a class="figure card" href={to}>
      <span class="name">{name}</span>
      <strong>{refused && !n ? "—" : n.toLocaleString()}</strong>
      <span class="bar" aria-hidden="true">{parts.filter(([, x]) => x > 0).map(([tone, x]) => <i key={tone} class={tone} style={{ flexGrow: String(Math.max(x, all / 60)) }} />)}</span>
      <small>{refused && !n ? refused.message : says}</small>
    </a>
  );
}

function Failing({ feed, counts }: { feed: ReturnType<typeof tableFeed>; counts: Map<string, number> }) {
  useFeed(feed);
  const at = podCells(feed);
  const bad: TableRow[] = [];
  for (const r of feed.rows.values()) {
    if (podTone(String(r.cells[at.status]), r.cells[at.ready]) === "bad") bad.push(r);
    if (bad.length >= 8) break;
  }
  const reasons = [...counts].filter(([, n]) => n > 0).sort((a, b) => b[1] - a[1]).slice(0, 4);
  return (
    <Card title={t("Failing Pods")} tools={<span class="reasons">{reasons.map(([reason, n]) => <a key={reason} href={href(["pods"], { q: reason, ns: "" })}>{n} {t(reason)}</a>)}</span>}>
      {bad.length ? (
        <ul class="short-list">
          {bad.map((r) => <li key={r.key}><Mark tone="bad" /><a href={objectLink("pods", r.namespace, r.name)}>{r.name}<small>{r.namespace} · {String(r.cells[at.node])}</small></a><Status value={String(r.cells[at.status])} /></li>)}
        </ul>
      ) : <Empty>{t("none")}</Empty>}
    </Card>
  );
}
