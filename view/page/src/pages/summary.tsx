// What an object says about itself, without its YAML.
import type { ComponentChildren } from "preact";
import { idOf, kindNamed } from "../api/kinds";
import { t } from "../i18n";
import { objectLink } from "../route";
import { Age, Copy, Mark, Status, toneOf, type Tone } from "../ui/parts";
import type { Shown } from "./shown";

export function Summary({ object, ns }: Shown) {
  const m = object.metadata, spec = object.spec ?? {};
  const template = spec.template?.spec ?? spec.jobTemplate?.spec?.template?.spec;
  const pod = object.kind === "Pod" ? spec : template;
  return (
    <div class="summary">
      <Card title={t("About")}>
        <dl>
          <Fact name={t("Created")}><Age at={Date.parse(m.creationTimestamp)} /></Fact>
          {m.deletionTimestamp && <Fact name={t("To be deleted")}><Age at={Date.parse(m.deletionTimestamp)} /></Fact>}
          {(m.ownerReferences ?? []).map((o: any) => <Fact key={o.uid} name={t("Belongs to")}><Reference apiVersion={o.apiVersion} kind={o.kind} ns={ns} name={o.name} /></Fact>)}
          {spec.nodeName && <Fact name={t("Node")}><Reference apiVersion="v1" kind="Node" ns="" name={spec.nodeName} /></Fact>}
          {object.status?.podIP && <Fact name="IP">{object.status.podIP}</Fact>}
          {spec.serviceAccountName && <Fact name={t("Service account")}><Reference apiVersion="v1" kind="ServiceAccount" ns={ns} name={spec.serviceAccountName} /></Fact>}
          {plainFacts(object).map(([k, v]) => <Fact key={k} name={k}>{v}</Fact>)}
          <Fact name="UID"><code>{m.uid}</code></Fact>
        </dl>
      </Card>
      {object.kind === "Node" && <NodeFacts node={object} />}
      {object.status?.conditions?.length > 0 && <Conditions list={object.status.conditions} />}
      {pod && <Containers pod={pod} status={object.kind === "Pod" ? object.status : undefined} />}
      <Pairs title={t("Labels")} pairs={m.labels} />
      {object.data && <Data object={object} />}
      <Pairs title={t("Annotations")} pairs={m.annotations} />
    </div>
  );
}

export const Card = ({ title, children, wide, tools }: { title: ComponentChildren; children: ComponentChildren; wide?: boolean; tools?: ComponentChildren }) => (
  <section class={"card" + (wide ? " wide" : "")}><header><h2>{title}</h2>{tools}</header>{children}</section>
);

export const Fact = ({ name, children }: { name: ComponentChildren; children: ComponentChildren }) => <div><dt>{name}</dt><dd>{children}</dd></div>;

/** A link to an object, if the server has its kind. */
export function Reference({ apiVersion, kind, ns, name, bare }: { apiVersion: string; kind: string; ns: string; name: string; bare?: boolean }) {
  const k = kindNamed(apiVersion, kind);
  const text = <>{!bare && <span class="soft">{kind} </span>}{name}</>;
  return k ? <a href={objectLink(idOf(k), k.namespaced ? ns : "", name)}>{text}</a> : <span>{text}</span>;
}

// The simple values of a spec say most of what one wants to know of kinds that this page does not know.
function plainFacts(o: any): [string, string][] {
  if (["Pod", "Node"].includes(o.kind)) return [];
  return Object.entries(o.spec ?? {}).filter(([k, v]) => ["string", "number", "boolean"].includes(typeof v) && String(v).length < 80 && k !== "serviceAccountName").slice(0, 12).map(([k, v]) => [k, String(v)]);
}

const goodWhenFalse = /Pressure|Unavailable|Failure|Failed|Degraded|Stalled/;

function Conditions({ list }: { list: any[] }) {
  const tone = (c: any): Tone => (c.status === "Unknown" ? "busy" : (c.status === "True") !== goodWhenFalse.test(c.type) ? "good" : goodWhenFalse.test(c.type) ? "bad" : "busy");
  return (
    <Card title={t("Conditions")} wide>
      <ul class="conditions">
        {list.map((c) => (
          <li key={c.type}>
            <Mark tone={tone(c)} /><strong>{c.type}</strong><span class="soft">{c.status}</span>
            <span>{c.reason}{c.message && <small>{c.message}</small>}</span>
            <Age at={Date.parse(c.lastTransitionTime ?? c.lastUpdateTime)} />
          </li>
        ))}
      </ul>
    </Card>
  );
}

function Containers({ pod, status }: { pod: any; status?: any }) {
  const all = [...(pod.initContainers ?? []).map((c: any) => ({ ...c, init: true })), ...(pod.containers ?? [])];
  const states = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
  return (
    <Card title={t("Containers")} wide>
      <ul class="containers">
        {all.map((c) => {
          const s = states.find((s) => s.name === c.name);
          const word = s && (s.state?.running ? "Running" : s.state?.waiting?.reason ?? s.state?.terminated?.reason ?? "Unknown");
          const detail = s?.state?.waiting?.message ?? s?.state?.terminated?.message ?? "";
          const last = s?.lastState?.terminated;
          return (
            <li key={c.name}>
              <header>
                <strong>{c.name}</strong>{c.init && <span class="tag">{c.restartPolicy === "Always" ? t("sidecar") : t("init")}</span>}
                {word && <Status value={word} tone={s.state?.running && !s.ready && !c.init ? "busy" : word === "Completed" ? "done" : toneOf(word)} />}
                {s?.restartCount > 0 && <span class="soft">{t("{n} restarts", { n: s.restartCount })}</span>}
              </header>
              <code class="image">{c.image}</code>
              {detail && <p class="bad">{detail}</p>}
              {last && <p class="soft">{t("Ended before with {reason}, code {code}", { reason: last.reason ?? "", code: last.exitCode })} <Age at={Date.parse(last.finishedAt)} /></p>}
              <dl class="inline">
                {(c.ports ?? []).map((p: any) => <Fact key={p.containerPort + (p.protocol ?? "")} name={t("Port")}>{p.name ? p.name + " " : ""}{p.containerPort}/{p.protocol ?? "TCP"}</Fact>)}
                {Object.keys({ ...c.resources?.requests, ...c.resources?.limits }).map((r) => <Fact key={r} name={r}>{c.resources?.requests?.[r] ?? "0"} – {c.resources?.limits?.[r] ?? "∞"}</Fact>)}
              </dl>
            </li>
          );
        })}
      </ul>
    </Card>
  );
}

export function Pairs({ title, pairs }: { title: string; pairs?: Record<string, string> }) {
  const list = Object.entries(pairs ?? {}).filter(([k]) => k !== "kubectl.kubernetes.io/last-applied-configuration");
  if (!list.length) return null;
  return <Card title={title}><ul class="pairs">{list.map(([k, v]) => <li key={k}><span>{k}</span><span>{v}</span></li>)}</ul></Card>;
}

function Data({ object }: { object: any }) {
  const secret = object.kind === "Secret";
  return (
    <Card title={t("Data")} wide>
      <ul class="data">
        {Object.entries<any>(object.data).map(([k, v]) => {
          const text = typeof v === "string" ? v : JSON.stringify(v);
          return (
            <li key={k}>
              <strong>{k}</strong>
              {secret ? <details><summary>{t("{n} bytes, shown when opened", { n: Math.floor((text.length * 3) / 4) })}</summary><Value text={decode(text)} /></details> : <Value text={text} />}
            </li>
          );
        })}
      </ul>
    </Card>
  );
}

const Value = ({ text }: { text: string }) => <div class="value"><pre tabIndex={0}>{text.length > 20_000 ? text.slice(0, 20_000) + "…" : text}</pre><Copy text={text} /></div>;

function decode(v: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.from(atob(v), (c) => c.charCodeAt(0)));
  } catch {
    return v; // no text: as it is kept
  }
}

function NodeFacts({ node }: { node: any }) {
  const info = node.status?.nodeInfo ?? {}, room = node.status?.allocatable ?? {};
  return (
    <>
      <Card title={t("Machine")}>
        <dl>
          {(node.status?.addresses ?? []).map((a: any) => <Fact key={a.type + a.address} name={a.type}>{a.address}</Fact>)}
          {[["osImage", t("System")], ["kernelVersion", t("Kernel")], ["architecture", t("Architecture")], ["containerRuntimeVersion", t("Runtime")], ["kubeletVersion", "Kubelet"]].map(([k, name]) => info[k] && <Fact key={k} name={name}>{info[k]}</Fact>)}
        </dl>
      </Card>
      <Card title={t("Room for Pods")}><dl>{Object.entries<string>(room).filter(([, v]) => v !== "0").map(([k, v]) => <Fact key={k} name={k}>{v}</Fact>)}</dl></Card>
      {node.spec?.taints?.length > 0 && <Card title={t("Taints")}><ul class="pairs">{node.spec.taints.map((x: any) => <li key={x.key + x.effect}><span>{x.key}{x.value ? "=" + x.value : ""}</span><span>{x.effect}</span></li>)}</ul></Card>}
    </>
  );
}
