// Ports of Pods on this machine. A page cannot listen; coracle ui does on its behalf, and kubectl where the page comes from a server.
import { signal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import { refusal, wish } from "../api/access";
import { stream } from "../api/stream";
import { local, request } from "../api/transport";
import { t } from "../i18n";
import { objectLink } from "../route";
import { Head } from "../ui/head";
import { Age, Button, Command, Empty, say } from "../ui/parts";
import type { Shown } from "./shown";
import { Card } from "./summary";

interface Forward {
  id: number;
  namespace: string;
  pod: string;
  port: number;
  local: number;
  since: string;
}

const forwards = signal<Forward[]>([]);

/** Follows what is forwarded while the component is there, whoever began or ended it. */
function useForwards() {
  useEffect(() => {
    if (!local) return;
    const stop = new AbortController();
    void follow(stop.signal);
    return () => stop.abort();
  }, []);
}

async function follow(stop: AbortSignal) {
  for (let failures = 0; !stop.aborted; failures++) {
    try {
      let rest = "";
      for await (const text of stream("/ui/forwards", "application/json", stop, () => (failures = 0))) {
        const lines = (rest + text).split("\n");
        rest = lines.pop()!;
        if (lines.length) forwards.value = JSON.parse(lines.at(-1)!);
      }
    } catch (e) {
      if (stop.aborted) return;
      forwards.value = []; // they ended with coracle ui
      if (!failures) say((e as Error).message, "bad");
    }
    await new Promise((r) => setTimeout(r, Math.min(500 * 2 ** failures, 10_000)));
  }
}

// Cookies know no ports: under the other name of loopback, what is forwarded gets none of this page's.
const otherName = () => (location.hostname === "localhost" ? "127.0.0.1" : "localhost");

async function stop(f: Forward) {
  try {
    await request("/ui/forwards/" + f.id, { method: "DELETE" });
    say(t("Port {port} of {pod} is no longer forwarded", { port: f.port, pod: f.pod }));
  } catch (e) {
    say((e as Error).message, "bad");
  }
}

const List = ({ list, withPod }: { list: Forward[]; withPod?: boolean }) => (
  <ul class="forwards">
    {list.map((f) => (
      <li key={f.id}>
        <a href={`http://${otherName()}:${f.local}/`} target="_blank" rel="noopener noreferrer">{otherName()}:{f.local}</a>
        <span>{withPod && <a href={objectLink("pods", f.namespace, f.pod, "ports")}>{f.namespace}/{f.pod}</a>} <span class="soft">{t("port {port}", { port: f.port })}</span></span>
        <Age at={Date.parse(f.since)} />
        <Button small onClick={() => void stop(f)}>{t("Stop")}</Button>
      </li>
    ))}
  </ul>
);

export function Forwards() {
  useForwards();
  return (
    <div class="page narrow">
      <Head title={t("Forwards")} />
      {local ? <>
        <p class="soft">{t("Ports of Pods that coracle ui listens for on this machine, until it ends. As with kubectl port-forward, every program of this machine may connect.")}</p>
        {forwards.value.length ? <List list={forwards.value} withPod /> : <Empty>{t("None. A Pod's page has its ports.")}</Empty>}
      </> : <>
        <p>{t("A web page cannot listen on a port of your machine. This does, with the same rights:")}</p>
        <Command text="kubectl port-forward -n NAMESPACE pod/NAME LOCAL:PORT" />
        <p class="soft">{t("Or run coracle ui on your machine: its page forwards ports itself.")}</p>
      </>}
    </div>
  );
}

export function Ports(p: Shown) {
  const { object, ns, name } = p;
  const [port, setPort] = useState("");
  const [at, setAt] = useState("");
  const off = refusal(wish(p.kind, "create", ns, name, "portforward"));
  useForwards();
  const ports = (object.spec.containers ?? []).flatMap((c: any) => (c.ports ?? []).filter((x: any) => (x.protocol ?? "TCP") === "TCP").map((x: any) => ({ ...x, container: c.name })));
  const start = async (port: number, at = 0) => {
    try {
      const f = await (await request("/ui/forwards", { method: "POST", body: JSON.stringify({ namespace: ns, pod: name, port, local: at }) })).json();
      say(t("Port {port} is at {name}:{local}", { port, name: otherName(), local: f.local }));
    } catch (e) {
      say((e as Error).message, "bad");
    }
  };
  const mine = forwards.value.filter((f) => f.pod === name && f.namespace === ns);
  if (!local) {
    return <div class="page narrow"><p>{t("A web page cannot listen on a port of your machine. This does, with the same rights:")}</p>{(ports.length ? ports : [{ containerPort: "PORT" }]).map((x: any) => <Command key={x.containerPort} text={`kubectl port-forward -n ${ns} pod/${name} :${x.containerPort}`} />)}</div>;
  }
  return (
    <div class="summary">
      <Card title={t("Ports of the Pod")}>
        <ul class="forwards">
          {ports.map((x: any) => <li key={x.container + x.containerPort}><strong>{x.containerPort}</strong><span>{x.name} <span class="soft">{x.container}</span></span><span /><Button small off={off} onClick={() => void start(x.containerPort)}>{t("Forward")}</Button></li>)}
        </ul>
        <form class="toolbar" onSubmit={(e) => (e.preventDefault(), void start(Number(port), Number(at)))}>
          <label class="field"><span>{t("Port of the Pod")}</span><input type="number" min="1" max="65535" required value={port} onInput={(e) => setPort(e.currentTarget.value)} /></label>
          <label class="field"><span>{t("Here (any unless given)")}</span><input type="number" min="1" max="65535" value={at} onInput={(e) => setAt(e.currentTarget.value)} /></label>
          <Button type="submit" off={off}>{t("Forward")}</Button>
        </form>
      </Card>
      {mine.length > 0 && <Card title={t("Forwarded")}><List list={mine} /></Card>}
    </div>
  );
}
