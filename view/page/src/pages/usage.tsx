// What a node's machine and its Pods used in the last hour, as its kubelet tells; and who may not ask that sees the latest figure that
// metrics.k8s.io has.
import { useEffect, useReducer, useState } from "preact/hooks";
import { may } from "../api/access";
import { hour, type Hour } from "../api/hour";
import { latest, measured, quantity, type Sample } from "../api/meter";
import { ApiError, getJSON } from "../api/transport";
import { t } from "../i18n";
import { objectLink } from "../route";
import { clock } from "../time";
import { Button, Empty, Problem } from "../ui/parts";
import type { Shown } from "./shown";
import { Card } from "./summary";

/** An hour, looked at if it may be. */
function useHour(node: string, pod: string, allowed: boolean): Hour {
  const [, again] = useReducer((n: number) => n + 1, 0);
  const h = hour(node, pod);
  useEffect(() => (allowed ? h.look(() => again(0)) : undefined), [h, allowed]);
  return h;
}

const mayAsk = (node: string) => may({ verb: "get", resource: "nodes", subresource: "proxy", name: node });
const Waiting = () => <div class="waiting" aria-busy="true" />;

export function Usage({ name, object }: Shown) {
  const right = mayAsk(name), h = useHour(name, "", !!right?.allowed), { error, phase } = h.state.value, room = object.status?.allocatable ?? {};
  const most = { cpus: quantity(room.cpu), memory: quantity(room.memory) };
  if (!right) return <Waiting />;
  if (!right.allowed) return <Latest resource="nodes" name={name} most={most} why={right.reason} />;
  if (!h.use.node.samples.length) return error ? <Problem error={error} retry={() => h.retry()} /> : <Waiting />;
  // Whose figures are old has ended.
  const pods = [...h.use.pods.values()].map((p) => ({ ns: p.ns, name: p.name, ...latest(p) })).filter((p) => p.at > h.use.at - 45_000).sort((a, b) => b.cpu - a.cpu || b.memory - a.memory);
  return (
    <div class="summary">
      {error && phase !== "live" && <Problem error={error} retry={() => h.retry()} />}
      <Curves samples={h.use.node.samples} {...most} remembers={h.remembers !== false} />
      <Card title={t("Pods, by use")} wide>
        {pods.length ? (
          <div class="table-scroll" tabIndex={0} role="region" aria-label={t("Pods, by use")}><table><thead><tr><th scope="col">{t("Pod")}</th><th scope="col">{t("Namespace")}</th><th scope="col" class="right">{t("Processors")}</th><th scope="col" class="right">{t("Memory")}</th></tr></thead>
            <tbody>{pods.slice(0, 50).map((p) => <tr key={p.ns + "/" + p.name}><td><a href={objectLink("pods", p.ns, p.name, "usage")}>{p.name}</a></td><td class="soft">{p.ns}</td><td class="right">{cpu(p.cpu)}</td><td class="right">{bytes(p.memory)}</td></tr>)}</tbody></table></div>
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

function OnNode({ object, ns, name, node }: Shown & { node: string }) {
  const uid = object.metadata.uid, right = mayAsk(node), h = useHour(node, uid, !!right?.allowed), { error, phase } = h.state.value;
  const samples = h.use.pods.get(uid)?.samples ?? [], most = { cpus: limit(object, "cpu"), memory: limit(object, "memory") };
  if (!right) return <Waiting />;
  if (!right.allowed) return <Latest resource="pods" ns={ns} name={name} most={most} why={right.reason} />;
  if (!samples.length) return error ? <Problem error={error} retry={() => h.retry()} /> : h.use.node.samples.length > 1 ? <Empty>{t("Its kubelet says nothing of it")}</Empty> : <Waiting />;
  return <div class="summary">{error && phase !== "live" && <Problem error={error} retry={() => h.retry()} />}<Curves samples={samples} {...most} remembers={h.remembers !== false} /></div>;
}

interface Most {
  cpus: number;
  memory: number;
}

/** The latest figure, asked for when one looks and when one wants it again: metrics.k8s.io has no history, and cannot be watched. */
function Latest({ resource, ns = "", name, most, why }: { resource: string; ns?: string; name: string; most: Most; why: string }) {
  const [now, setNow] = useState<Sample>();
  const [error, setError] = useState<Error>();
  const right = may({ verb: "get", group: "metrics.k8s.io", resource, namespace: ns || undefined, name });
  const ask = () => {
    setError(undefined);
    getJSON("/apis/metrics.k8s.io/v1beta1/" + (ns ? `namespaces/${encodeURIComponent(ns)}/` : "") + resource + "/" + encodeURIComponent(name)).then((m) => setNow(measured(m)), setError);
  };
  useEffect(() => void (right?.allowed && ask()), [right?.allowed, ns, name]);
  if (!right) return <Waiting />;
  if (!right.allowed) return <Problem error={new ApiError(403, t("Usage is told by the node's kubelet, which you may not ask: it needs get on nodes/proxy.") + " " + why + " " + t("The latest figure needs get on {what}.", { what: resource + ".metrics.k8s.io" }))} />;
  if (!now) return error ? <Problem error={error} retry={ask} /> : <Waiting />;
  return (
    <div class="summary">
      {error && <Problem error={error} />}
      <Card title={t("Processors")}><Figure of={now.cpu} most={most.cpus} says={cpu} /></Card>
      <Card title={t("Memory")}><Figure of={now.memory} most={most.memory} says={bytes} /></Card>
      <p class="soft wide">{t("The latest figure of metrics.k8s.io, of {time}. The hour before it is told by the node's kubelet, which you may not ask: it needs get on nodes/proxy.", { time: clock(now.at) })} <Button small icon="restart" onClick={ask}>{t("Measure again")}</Button></p>
    </div>
  );
}

const Figure = ({ of, most, says }: { of: number; most: number; says: (n: number) => string }) => <p><strong>{says(of)}</strong> <span class="soft">{most ? t("of {all}", { all: says(most) }) : t("of as much as there is")}</span></p>;

function Curves({ samples, cpus, memory, remembers }: Most & { samples: Sample[]; remembers: boolean }) {
  const now = samples.at(-1)!, since = { time: clock(samples[0].at) };
  return (
    <>
      <Card title={t("Processors")}><Curve samples={samples} of="cpu" most={cpus} says={cpu} /><Figure of={now.cpu} most={cpus} says={cpu} /></Card>
      <Card title={t("Memory")}><Curve samples={samples} of="memory" most={memory} says={bytes} /><Figure of={now.memory} most={memory} says={bytes} /></Card>
      <p class="soft wide">{remembers ? t("The last hour, as the kubelet remembers it, since {time}: measured once a minute, and every ten seconds while somebody looks.", since) : t("Only since one looks, {time}: this kubelet remembers nothing, and is asked every ten seconds. Up to an hour is kept.", since)}</p>
    </>
  );
}

export const cpu = (n: number) => (n < 1 ? Math.round(n * 1000) + " m" : n.toFixed(n < 10 ? 2 : 1));
export function bytes(n: number): string {
  for (const [unit, size] of [["Gi", 2 ** 30], ["Mi", 2 ** 20], ["Ki", 2 ** 10]] as [string, number][]) if (n >= size) return (n / size).toFixed(n / size < 10 ? 1 : 0) + " " + unit + "B";
  return n + " B";
}

function Curve({ samples, of, most, says }: { samples: Sample[]; of: "cpu" | "memory"; most: number; says: (n: number) => string }) {
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
