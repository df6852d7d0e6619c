// One object: what it is, what can be done with it.
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { refusal, wish } from "../api/access";
import { discovered, idOf, kindOf, pathOf, type Kind } from "../api/kinds";
import { request } from "../api/transport";
import { t } from "../i18n";
import { href, noNamespace, objectLink } from "../route";
import { Head } from "../ui/head";
import { Lazy } from "../ui/lazy";
import { Button, Destroy, Empty, Problem, say, Status } from "../ui/parts";
import { useObject } from "../ui/use";
import { Actions } from "./actions";
import { ObjectEvents } from "./events";
import { Summary } from "./summary";
import { Rollout } from "./rollout";
import { NoKind } from "./list";
import { NodePods } from "./nodes";
import { PodUsage, Usage } from "./usage";
import { Logs, WorkloadLogs } from "./logs";
import { Ports } from "./forwards";
import type { Shown } from "./shown";
import { statusOf } from "./status";

interface Tab {
  id: string;
  title: string;
  show: (p: Shown) => ComponentChildren;
  kinds?: string[];
}

const rollouts = ["deployments.apps", "statefulsets.apps", "daemonsets.apps"];

const tabs: Tab[] = [
  { id: "", title: "Summary", show: (p) => <Summary {...p} /> },
  { id: "rollout", title: "Rollout", kinds: rollouts, show: (p) => <Rollout {...p} /> },
  { id: "pods", title: "Pods", kinds: ["nodes"], show: (p) => <NodePods {...p} /> },
  { id: "usage", title: "Usage", kinds: ["nodes"], show: (p) => <Usage {...p} /> },
  { id: "logs", title: "Logs", kinds: ["pods"], show: (p) => <Logs {...p} /> },
  { id: "logs", title: "Logs", kinds: [...rollouts, "jobs.batch", "replicasets.apps"], show: (p) => <WorkloadLogs {...p} /> },
  { id: "terminal", title: "Terminal", kinds: ["pods"], show: (p) => <Lazy load={() => import("./terminal")} props={p} /> },
  { id: "usage", title: "Usage", kinds: ["pods"], show: (p) => <PodUsage {...p} /> },
  { id: "ports", title: "Ports", kinds: ["pods"], show: (p) => <Ports {...p} /> },
  { id: "yaml", title: "YAML", show: (p) => <Lazy load={() => import("./yaml")} props={p} /> },
  { id: "events", title: "Events", show: (p) => <ObjectEvents {...p} /> },
];

export function ObjectPage({ id, ns, name, tab = "" }: { id: string; ns: string; name: string; tab?: string }) {
  const k = kindOf(id);
  const namespace = ns === noNamespace ? "" : ns;
  const { object, feed } = useObject(k, namespace, name);
  if (!k) return discovered.value ? <NoKind id={id} /> : null;
  const state = feed!.state.value;
  const back = href([id]);
  const title = <>{name}<small>{k.kind}{namespace && " · " + namespace}</small></>;
  if (!object) {
    return (
      <div class="page">
        <Head title={title} back={back} />
        {state.error && state.phase !== "live" ? <Problem error={state.error} retry={() => feed!.retry()} /> : state.phase === "live" ? <Empty>{t("It is not there, or no more")}</Empty> : <div class="waiting" aria-busy="true" />}
      </div>
    );
  }
  const mine = tabs.filter((x) => !x.kinds || x.kinds.includes(id));
  const current = mine.find((x) => x.id === tab) ?? mine[0];
  const shown: Shown = { kind: k, ns: namespace, name, object };
  const status = statusOf(object);
  return (
    <div class={"page object " + (["logs", "terminal", "yaml", "pods"].includes(current.id) ? "full" : "")}>
      <Head title={title} back={back}>
        {status && <Status value={status} />}
        <Actions {...shown} />
        <Delete {...shown} />
      </Head>
      <div class="tabs" role="navigation" aria-label={t("Parts of {name}", { name })}>
        {mine.map((x) => <a key={x.id} href={objectLink(id, namespace, name, x.id)} aria-current={x === current ? "page" : undefined}>{t(x.title)}</a>)}
      </div>
      <div class="tab" key={current.id}>{current.show(shown)}</div>
    </div>
  );
}

function Delete({ kind, ns, name, object }: Shown) {
  const [asking, setAsking] = useState(false);
  const off = refusal(wish(kind, "delete", ns, name));
  const act = async () => {
    // The one that was looked at, not another of the same name.
    await request(pathOf(kind, ns, name), { method: "DELETE", body: JSON.stringify({ apiVersion: "v1", kind: "DeleteOptions", propagationPolicy: "Background", preconditions: { uid: object.metadata.uid } }) });
    say(t("{name} is being deleted", { name }));
  };
  return (
    <>
      <Button icon="trash" kind="plain" label={t("Delete")} off={off} onClick={() => setAsking(true)} />
      {asking && (
        <Destroy title={t("Delete {kind} {name}?", { kind: kind.kind, name })} name={name} verb={t("Delete")} act={act} onClose={() => setAsking(false)}>
          <p>{ns ? t("In namespace {ns}. What it owns goes with it.", { ns }) : t("What it owns goes with it.")}</p>
          {kind.resource === "namespaces" && <p><strong>{t("Everything in the namespace is deleted.")}</strong></p>}
        </Destroy>
      )}
    </>
  );
}

export const kindLink = (k: Kind) => href([idOf(k)]);
