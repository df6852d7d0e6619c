// What a node's machine and its Pods use, as its kubelet says while somebody looks. The kubelet tells this only when asked: it is
// the one thing on the page that is not watched. The last hour is what this page has seen of it.
import { useEffect, useReducer } from "preact/hooks";
import { ApiError, getJSON } from "../api/transport";
import { may } from "../api/access";
import { t } from "../i18n";
import { objectLink } from "../route";
import { clock } from "../time";
import { Empty, Problem } from "../ui/parts";
import { add, latest, type Meter } from "./meter";
import type { Shown } from "./object";
import { Card } from "./summary";

const every = 10_000;

interface PodUse {
  ns: string;
  name: string;
  use: Meter;
}

interface Seen {
  node: Meter;
  pods: Map<string, PodUse>;
  error?: ApiError;
}

const seen = new Map<string, Seen>();

async function sample(node: string, s: Seen, signal: AbortSignal) {
  try {
    const stats = await getJSON(`/api/v1/nodes/${encodeURIComponent(node)}/proxy/stats/summary?only_cpu_and_memory=true`, { signal });
    const now = Date.now(), pods = new Map<string, PodUse>();
    add(s.node, stats.node, now);
    for (const p of stats.pods ?? []) {
      const { uid, namespace: ns, name } = p.podRef, known = s.pods.get(uid) ?? { ns, name, use: { samples: [] } };
      add(known.use, p, now);
      pods.set(uid, known);
    }
    s.pods = pods;
    s.error = undefined;
  } catch (e) {
    if (!signal.aborted) s.error = e as ApiError;
  }
}

/** What a node's kubelet says, asked again and again while somebody looks; undefined until it is known whether it may be asked. */
function useSeen(node: string): { seen?: Seen; refused?: ApiError } {
  const [, again] = useReducer((n: number) => n + 1, 0);
  const s: Seen = seen.get(node) ?? { node: { samples: [] }, pods: new Map() };
  seen.set(node, s);
  const right = may({ verb: "get", resource: "nodes", subresource: "proxy", name: node });
  useEffect(() => {
    if (!right?.allowed) return;
    const stop = new AbortController();
    const run = async () => {
      if (!document.hidden) await sample(node, s, stop.signal);
      if (stop.signal.aborted) return;
      again(0);
      // Who is refused is refused: asking again would change nothing. A rate takes two readings, and nobody waits long for the second.
      if (!s.error || s.error.status === 0 || s.error.status >= 500) timer = window.setTimeout(run, s.error || s.node.samples.length ? every : 2000);
    };
    let timer = window.setTimeout(run);
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [node, right?.allowed]);
  if (right && !right.allowed) return { refused: new ApiError(403, t("Usage is told by the node's kubelet, which you may not ask: it needs get on nodes/proxy.") + " " + right.reason) };
  return { seen: s };
}

export function Usage({ name, object }: Shown) {
  const { seen: s, refused } = useSeen(name);
  if (refused) return <Problem error={refused} />;
  if (!s?.node.samples.length) return s?.error ? <Problem error={s.error} /> : <div class="waiting" aria-busy="true" />;
  const room = object.status?.allocatable ?? {};
  const pods = [...s.pods.values()].map((p) => ({ ...p, ...latest(p.use) })).sort((a, b) => b.cpu - a.cpu || b.memory - a.memory);
  return (
    <div class="summary">
      {s.error && <Problem error={s.error} />}
      <Curves use={s.node} cpus={quantity(room.cpu)} memory={quantity(room.memory)} />
      <Card title={t("Pods, by use")} wide>
        {pods.length ? (
          <div class="table-scroll" tabIndex={0} role="region" aria-label={t("Pods, by use")}><table><thead><tr><th scope="col">{t("Pod")}</th><th scope="col">{t("Namespace")}</th><th scope="col" class="right">{t("Processors")}</th><th scope="col" class="right">{t("Memory")}</th></tr></thead>
            <tbody>{pods.slice(0, 50).map((p) => <tr key={p.ns + p.name}><td><a href={objectLink("pods", p.ns, p.name, "usage")}>{p.name}</a></td><td class="soft">{p.ns}</td><td class="right">{cpu(p.cpu)}</td><td class="right">{bytes(p.memory)}</td></tr>)}</tbody></table></div>
        ) : <Empty>{t("There are none")}</Empty>}
      </Card>
    </div>
  );
}

/** What a Pod's containers may use together, 0 if one of them has no limit. */
function limit(pod: any, of: string): number {
  const limits = (pod.spec.containers ?? []).map((c: any) => quantity(c.resources?.limits?.[of]));
  return limits.every((n: number) => n > 0) ? limits.reduce((a: number, b: number) => a + b, 0) : 0;
}

export function PodUsage(p: Shown) {
  const node = p.object.spec.nodeName;
  return node ? <OnNode {...p} node={node} /> : <Empty>{t("It is on no node yet")}</Empty>;
}

function OnNode({ object, node }: Shown & { node: string }) {
  const { seen: s, refused } = useSeen(node);
  const use = s?.pods.get(object.metadata.uid)?.use;
  if (refused) return <Problem error={refused} />;
  if (!use?.samples.length) return s?.error ? <Problem error={s.error} /> : s?.node.samples.length && !use ? <Empty>{t("Its kubelet says nothing of it")}</Empty> : <div class="waiting" aria-busy="true" />;
  return <div class="summary">{s?.error && <Problem error={s.error} />}<Curves use={use} cpus={limit(object, "cpu")} memory={limit(object, "memory")} /></div>;
}

const Of = ({ all, says }: { all: number; says: (n: number) => string }) => <span class="soft">{all ? t("of {all}", { all: says(all) }) : t("of as much as there is")}</span>;

function Curves({ use, cpus, memory }: { use: Meter; cpus: number; memory: number }) {
  const now = latest(use);
  return (
    <>
      <Card title={t("Processors")}><Curve use={use} of="cpu" most={cpus} says={cpu} /><p><strong>{cpu(now.cpu)}</strong> <Of all={cpus} says={cpu} /></p></Card>
      <Card title={t("Memory")}><Curve use={use} of="memory" most={memory} says={bytes} /><p><strong>{bytes(now.memory)}</strong> <Of all={memory} says={bytes} /></p></Card>
      <p class="soft wide">{t("Asked of the kubelet every ten seconds while you look, since {time}; up to an hour is kept.", { time: clock(use.samples[0].at) })}</p>
    </>
  );
}

const units: Record<string, number> = { n: 1e-9, u: 1e-6, m: 1e-3, "": 1, k: 1e3, M: 1e6, G: 1e9, T: 1e12, Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40, Pi: 2 ** 50 };

/** The number that a quantity of the API is. */
export function quantity(q: string | number | undefined): number {
  const m = String(q ?? "").match(/^([\d.]+(?:e\d+)?)([a-zA-Z]*)$/);
  return m ? Number(m[1]) * (units[m[2]] ?? 1) : 0;
}

export const cpu = (n: number) => (n < 1 ? Math.round(n * 1000) + " m" : n.toFixed(n < 10 ? 2 : 1));
export function bytes(n: number): string {
  for (const [unit, size] of [["Gi", 2 ** 30], ["Mi", 2 ** 20], ["Ki", 2 ** 10]] as [string, number][]) if (n >= size) return (n / size).toFixed(n / size < 10 ? 1 : 0) + " " + unit + "B";
  return n + " B";
}

function Curve({ use: { samples }, of, most, says }: { use: Meter; of: "cpu" | "memory"; most: number; says: (n: number) => string }) {
  const highest = Math.max(...samples.map((s) => s[of])), top = highest * 1.25 || 1, end = samples.at(-1)!.at, begin = Math.min(samples[0].at, end - 120_000);
  const x = (at: number) => ((at - begin) / (end - begin)) * 400;
  const line = samples.map((s, i) => `${i ? "L" : "M"}${x(s.at).toFixed(1)} ${(90 - (s[of] / top) * 86).toFixed(1)}`).join("");
  const fill = { from: clock(samples[0].at), to: clock(end), most: says(highest), all: says(most) };
  return (
    <svg class="curve" viewBox="0 0 400 92" preserveAspectRatio="none" role="img" aria-label={most ? t("From {from} to {to}, at most {most}; there is room for {all}", fill) : t("From {from} to {to}, at most {most}", fill)}>
      <path class="area" d={`${line}L${x(end)} 92L${x(samples[0].at)} 92z`} /><path class="line" d={samples.length > 1 ? line : line + "h.1"} />
    </svg>
  );
}
