// What a node's machine and its Pods use, as its kubelet says while somebody looks. The kubelet tells this only when asked: it is
// the one thing on the page that is not watched. The last hour is what this page has seen of it.
import { useEffect, useReducer } from "preact/hooks";
import { ApiError, getJSON } from "../api/transport";
import { may } from "../api/access";
import { t } from "../i18n";
import { objectLink } from "../route";
import { clock } from "../time";
import { Empty, Problem } from "../ui/parts";
import type { Shown } from "./object";
import { Card } from "./summary";

const every = 10_000, kept = 3600_000;

interface Sample {
  at: number;
  cpu: number;
  memory: number;
}

interface Seen {
  samples: Sample[];
  pods: { ns: string; name: string; cpu: number; memory: number }[];
  error?: ApiError;
}

const seen = new Map<string, Seen>();

async function sample(node: string, s: Seen, signal: AbortSignal) {
  try {
    const stats = await getJSON(`/api/v1/nodes/${encodeURIComponent(node)}/proxy/stats/summary`, { signal });
    const at = Date.now(), n = stats.node ?? {};
    s.samples = [...s.samples.filter((x) => x.at > at - kept), { at, cpu: (n.cpu?.usageNanoCores ?? 0) / 1e9, memory: n.memory?.workingSetBytes ?? 0 }];
    s.pods = (stats.pods ?? []).map((p: any) => ({ ns: p.podRef.namespace, name: p.podRef.name, cpu: (p.cpu?.usageNanoCores ?? 0) / 1e9, memory: p.memory?.workingSetBytes ?? 0 }));
    s.error = undefined;
  } catch (e) {
    if (!signal.aborted) s.error = e as ApiError;
  }
}

export function Usage({ name, object }: Shown) {
  const [, again] = useReducer((n: number) => n + 1, 0);
  const s = seen.get(name) ?? { samples: [], pods: [] };
  seen.set(name, s);
  const right = may({ verb: "get", resource: "nodes", subresource: "proxy", name });
  const right2 = may({ verb: "get", resource: "nodes", subresource: "stats", name });
  useEffect(() => {
    if (!right?.allowed) return;
    const stop = new AbortController();
    const run = async () => {
      if (!document.hidden) await sample(name, s, stop.signal);
      if (stop.signal.aborted) return;
      again(0);
      // Who is refused is refused: asking again would change nothing.
      if (!s.error || s.error.status === 0 || s.error.status >= 500) timer = window.setTimeout(run, every);
    };
    let timer = window.setTimeout(run);
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [name, right?.allowed]);
  if (right && !right.allowed) return <Problem error={new ApiError(403, t("Usage is told by the node's kubelet, which you may not ask: it needs get on nodes/proxy.") + " " + (right.reason || right2?.reason || ""))} />;
  if (!s.samples.length) return s.error ? <Problem error={s.error} /> : <div class="waiting" aria-busy="true" />;
  const room = object.status?.allocatable ?? {};
  const last = s.samples.at(-1)!;
  const pods = [...s.pods].sort((a, b) => b.cpu - a.cpu || b.memory - a.memory);
  return (
    <div class="summary">
      {s.error && <Problem error={s.error} />}
      <Card title={t("Processors")}><Curve samples={s.samples} of={(x) => x.cpu} most={quantity(room.cpu)} says={cpu} /><p><strong>{cpu(last.cpu)}</strong> <span class="soft">{t("of {all}", { all: cpu(quantity(room.cpu)) })}</span></p></Card>
      <Card title={t("Memory")}><Curve samples={s.samples} of={(x) => x.memory} most={quantity(room.memory)} says={bytes} /><p><strong>{bytes(last.memory)}</strong> <span class="soft">{t("of {all}", { all: bytes(quantity(room.memory)) })}</span></p></Card>
      <p class="soft wide">{t("Asked of the kubelet every ten seconds while you look, since {time}; up to an hour is kept.", { time: clock(s.samples[0].at) })}</p>
      <Card title={t("Pods, by use")} wide>
        {pods.length ? (
          <div class="table-scroll" tabIndex={0} role="region" aria-label={t("Pods, by use")}><table><thead><tr><th scope="col">{t("Pod")}</th><th scope="col" class="right">{t("Processors")}</th><th scope="col" class="right">{t("Memory")}</th></tr></thead>
            <tbody>{pods.slice(0, 50).map((p) => <tr key={p.ns + p.name}><td><a href={objectLink("pods", p.ns, p.name)}>{p.name}</a> <span class="soft">{p.ns}</span></td><td class="right">{cpu(p.cpu)}</td><td class="right">{bytes(p.memory)}</td></tr>)}</tbody></table></div>
        ) : <Empty>{t("There are none")}</Empty>}
      </Card>
    </div>
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

function Curve({ samples, of, most, says }: { samples: Sample[]; of: (s: Sample) => number; most: number; says: (n: number) => string }) {
  const top = Math.max(...samples.map(of)) * 1.25 || 1, end = samples.at(-1)!.at, begin = Math.min(samples[0].at, end - 120_000);
  const x = (s: Sample) => ((s.at - begin) / (end - begin)) * 400, y = (s: Sample) => 90 - (of(s) / top) * 86;
  const line = samples.map((s, i) => `${i ? "L" : "M"}${x(s).toFixed(1)} ${y(s).toFixed(1)}`).join("");
  return (
    <svg class="curve" viewBox="0 0 400 92" preserveAspectRatio="none" role="img" aria-label={t("From {from} to {to}, at most {most}; there is room for {all}", { from: clock(samples[0].at), to: clock(end), most: says(Math.max(...samples.map(of))), all: says(most) })}>
      <path class="area" d={`${line}L${x(samples.at(-1)!)} 92L${x(samples[0])} 92z`} /><path class="line" d={line} />
    </svg>
  );
}
