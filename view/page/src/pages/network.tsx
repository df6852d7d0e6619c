// What may talk to what, as a picture, and which policy says so.
import { useMemo } from "preact/hooks";
import { kindOf, idOf } from "../api/kinds";
import type { TableRow } from "../api/rows";
import { t } from "../i18n";
import { href, namespace, objectLink, route } from "../route";
import { Head, NamespaceChoice } from "../ui/head";
import { Empty, Problem } from "../ui/parts";
import { objectFeed, tableFeed, useFeed, useObjects } from "../ui/use";
import { edges, label, lets, selecting, type Direction, type Edge, type Group, type Peer, type World } from "./policy";
import { Card } from "./summary";

/** Pods that are of one workload, and so have the same labels. */
function groupOf(r: TableRow): { key: string; name: string; kind: string } {
  const o = r.owner;
  if (!o) return { key: r.namespace + "/" + r.name, name: r.name, kind: "Pod" };
  const hash = r.labels["pod-template-hash"];
  if (o.kind === "ReplicaSet" && hash && o.name.endsWith("-" + hash)) return { key: `${r.namespace}/${o.name.slice(0, -hash.length - 1)}`, name: o.name.slice(0, -hash.length - 1), kind: "Deployment" };
  return { key: r.namespace + "/" + o.name, name: o.name, kind: o.kind };
}

// Labels that differ between the Pods of one workload; that a policy means one of them is not shown.
const own = ["pod-template-hash", "controller-revision-hash", "statefulset.kubernetes.io/pod-name", "apps.kubernetes.io/pod-index", "batch.kubernetes.io/job-completion-index", "topology.kubernetes.io/zone", "topology.kubernetes.io/region"];

function groupsOf(rows: Iterable<TableRow>): Group[] {
  const groups = new Map<string, Group>();
  for (const r of rows) {
    const g = groupOf(r);
    // Bare Pods of the same labels are one group, too: policies know them by nothing else.
    const labels = Object.fromEntries(Object.entries(r.labels).filter(([k]) => !own.includes(k)));
    const id = r.owner ? g.key + " " + g.kind : r.namespace + " " + JSON.stringify(labels);
    const known = groups.get(id);
    if (known) known.pods++;
    else groups.set(id, { ...g, key: id, namespace: r.namespace, name: r.owner ? g.name : r.labels["app.kubernetes.io/name"] ?? r.labels.app ?? g.name, labels, pods: 1 });
  }
  return [...groups.values()].sort((a, b) => (a.namespace + "/" + a.name < b.namespace + "/" + b.name ? -1 : 1));
}

export function Network() {
  const ns = namespace.value;
  const pods = useFeed(tableFeed(kindOf("pods")!, ""))!, spaces = useFeed(tableFeed(kindOf("namespaces")!, ""))!;
  const policyFeed = objectFeed(kindOf("networkpolicies.networking.k8s.io")!, "");
  const policies = useObjects(policyFeed);
  const groups = useMemo(() => groupsOf(pods.rows.values()), [pods.rows.size, policies.length]);
  const world: World = { groups, namespaces: new Map([...spaces.rows.values()].map((r) => [r.name, r.labels])), policies };
  const here = groups.filter((g) => !ns || g.namespace === ns);
  const chosen = here.find((g) => g.key === route.value.query.get("of")) ?? here.find((g) => selecting(world, g, "ingress").length || selecting(world, g, "egress").length) ?? here[0];
  const refused = [pods, policyFeed].map((f) => f.state.value).find((s) => s.phase === "refused");
  if (refused) return <div class="page"><Head title={t("Network")}><NamespaceChoice /></Head><Problem error={refused.error!} retry={() => (pods.retry(), policyFeed.retry())} /></div>;
  return (
    <div class="page">
      <Head title={t("Network")}><NamespaceChoice /></Head>
      {!chosen ? <Empty>{t("No Pods are here, so that nothing talks")}</Empty> : (
        <div class="network">
          <nav class="groups" aria-label={t("Whose traffic")}>
            <ul>
              {here.slice(0, 300).map((g) => {
                const guarded = { in: selecting(world, g, "ingress").length, out: selecting(world, g, "egress").length };
                return (
                  <li key={g.key}><a href={href(["network"], { of: g.key })} aria-current={g === chosen ? "true" : undefined}>
                    <span>{g.name}<small>{!ns && g.namespace + " · "}{t("{n} Pods", { n: g.pods })}</small></span>
                    <small class="guards">{guarded.in > 0 && <span title={t("Policies say who may talk to it")}>{t("in")}</span>}{guarded.out > 0 && <span title={t("Policies say whom it may talk to")}>{t("out")}</span>}</small>
                  </a></li>
                );
              })}
            </ul>
          </nav>
          <div class="stack"><Picture world={world} of={chosen} /><p class="soft">{t("As the policies say; it takes a Pod network that enforces them. Ports are shown as each side's policy has them.")}</p></div>
        </div>
      )}
    </div>
  );
}

const lineHeight = 46, boxWidth = 220, middle = 230, width = 1000;

function Picture({ world, of: g }: { world: World; of: Group }) {
  const sides = (["ingress", "egress"] as Direction[]).map((d) => ({ d, ...edges(world, g, d) }));
  const rows = Math.max(1, ...sides.map((s) => (s.open ? 1 : s.edges.length)));
  const shown = Math.min(rows, 24), height = Math.max(3, shown) * lineHeight + 20, centre = height / 2;
  const y = (i: number, n: number) => centre + (i - (n - 1) / 2) * lineHeight;
  const draw = (side: (typeof sides)[number]) => {
    const left = side.d === "ingress";
    const list: Edge[] = side.open ? [{ peer: { all: true }, ports: "", policies: [], refusedBy: [] }] : side.edges.slice(0, shown);
    const x = left ? 8 : width - boxWidth - 8, from = left ? boxWidth + 8 : width - boxWidth - 8, to = left ? width / 2 - middle / 2 : width / 2 + middle / 2;
    return (
      <g key={side.d}>
        {list.map((e, i) => {
          const at = y(i, list.length), off = e.refusedBy.length > 0, bend = (from + to) / 2;
          return (
            <g key={i} class={"edge " + (off ? "off" : side.open ? "open" : "")}>
              <path d={`M${from} ${at}C${bend} ${at} ${bend} ${centre} ${to} ${centre}`} />
              <rect x={x} y={at - 18} width={boxWidth} height={36} rx={8} />
              <text x={x + 12} y={at - 1}>{clip(name(e.peer), 30)}</text>
              <text class="sub" x={x + 12} y={at + 12}>{clip(off ? t("refused by {policies}", { policies: e.refusedBy.join(", ") }) : side.open ? t("no policy says otherwise") : (e.ports ? t("port {port}", { port: e.ports }) + " · " : "") + e.policies.join(", "), 38)}</text>
            </g>
          );
        })}
        {!list.length && <g class="edge none"><rect x={x} y={centre - 18} width={boxWidth} height={36} rx={8} /><text x={x + 12} y={centre - 1}>{t("nobody")}</text><text class="sub" x={x + 12} y={centre + 12}>{clip(side.policies.join(", "), 38)}</text></g>}
      </g>
    );
  };
  return (
    <>
      <div class="picture" tabIndex={0} role="region" aria-label={t("What may talk to {name}, and what it may talk to", { name: g.name })}>
        <svg viewBox={`0 -24 ${width} ${height + 24}`} role="img" aria-label={t("The same is in the lists below")}>
          <text class="title" x={8} y={-8}>{t("may talk to it")}</text><text class="title" x={width - boxWidth - 8} y={-8}>{t("it may talk to")}</text>
          {sides.map(draw)}
          <g class="centre"><rect x={width / 2 - middle / 2} y={centre - 26} width={middle} height={52} rx={10} /><text x={width / 2} y={centre - 3}>{clip(g.name, 28)}</text><text class="sub" x={width / 2} y={centre + 14}>{g.namespace} · {t("{n} Pods", { n: g.pods })}</text></g>
        </svg>
      </div>
      <div class="columns">{sides.map((s) => <Side key={s.d} world={world} of={g} {...s} />)}</div>
    </>
  );
}

const clip = (text: string, most: number) => (text.length > most ? text.slice(0, most - 1) + "…" : text);
const name = (p: Peer): string => ("all" in p ? t("everything") : label(p));

function Side({ world, of: g, d, open, edges, policies }: { world: World; of: Group; d: Direction; open: boolean; edges: Edge[]; policies: string[] }) {
  const policy = (p: string) => <a key={p} href={objectLink(idOf(kindOf("networkpolicies.networking.k8s.io")!), g.namespace, p)}>{p}</a>;
  const silent = world.groups.filter((o) => o !== g && !open && !lets(world, g, d, o).allowed).length;
  return (
    <Card title={d === "ingress" ? t("May talk to {name}", { name: g.name }) : t("{name} may talk to", { name: g.name })}>
      {open ? <p>{t("Everything: no policy selects its Pods in this direction.")}</p> : (
        <ul class="short-list">
          {edges.map((e, i) => (
            <li key={i}><span class={e.refusedBy.length ? "bad" : ""}>{name(e.peer)}<small>{e.ports ? t("port {port}", { port: e.ports }) : t("all ports")}{e.refusedBy.length > 0 && " · " + t("refused by {policies}", { policies: e.refusedBy.join(", ") })}</small></span><span class="by">{e.policies.map(policy)}</span></li>
          ))}
          {!edges.length && <li><span>{t("nobody")}</span><span class="by">{policies.map(policy)}</span></li>}
        </ul>
      )}
      {silent > 0 && <p class="soft">{t("{n} other groups of Pods may not.", { n: silent })}</p>}
    </Card>
  );
}
