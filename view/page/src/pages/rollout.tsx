// How far a workload is from what is wanted, its revisions, its Pods.
import { useState } from "preact/hooks";
import { kindOf, pathOf, type Kind } from "../api/kinds";
import { request } from "../api/transport";
import { t } from "../i18n";
import { objectLink } from "../route";
import { Age, Button, Dialog, Problem, say } from "../ui/parts";
import { objectFeed, tableFeed, useObjects } from "../ui/use";
import { refused } from "./actions";
import { ObjectGrid, useRows } from "./list";
import type { Shown } from "./shown";
import { condition, replicas } from "./status";
import { Card } from "./summary";
import { imagesOf, Progress, shortImage } from "./workloads";

interface Revision {
  number: number;
  name: string;
  id: string;
  created: number;
  images: string[];
  pods?: { have: number; ready: number };
  cause: string;
  current: boolean;
  /** What makes the workload as it was then. */
  back: { body: string; type: string };
}

const history: Kind = { group: "apps", version: "v1", resource: "controllerrevisions", kind: "ControllerRevision", namespaced: true, verbs: [], short: [], subresources: [] };
const cause = (o: any) => o.metadata.annotations?.["kubernetes.io/change-cause"] ?? "";

function useRevisions({ object, ns }: Shown): Revision[] {
  const deployment = object.kind === "Deployment";
  const objects = useObjects(objectFeed(deployment ? kindOf("replicasets.apps")! : history, ns)).filter((o) => o.metadata.ownerReferences?.some((r: any) => r.uid === object.metadata.uid));
  const revisions = objects.map((o): Revision => {
    if (deployment) {
      const template = structuredClone(o.spec.template);
      delete template.metadata?.labels?.["pod-template-hash"];
      return {
        number: Number(o.metadata.annotations?.["deployment.kubernetes.io/revision"] ?? 0), name: o.metadata.name, id: "replicasets.apps", created: Date.parse(o.metadata.creationTimestamp), images: imagesOf(o),
        pods: { have: o.status?.replicas ?? 0, ready: o.status?.readyReplicas ?? 0 }, cause: cause(o), current: false,
        back: { body: JSON.stringify([{ op: "replace", path: "/spec/template", value: template }]), type: "application/json-patch+json" },
      };
    }
    return { number: o.revision, name: o.metadata.name, id: "controllerrevisions.apps", created: Date.parse(o.metadata.creationTimestamp), images: imagesOf(o.data ?? {}), cause: cause(o), current: false, back: { body: JSON.stringify(o.data), type: "application/strategic-merge-patch+json" } };
  });
  revisions.sort((a, b) => b.number - a.number);
  if (revisions[0]) revisions[0].current = true;
  return revisions;
}

export function selectorText(s: any): string {
  const parts = Object.entries(s?.matchLabels ?? {}).map(([k, v]) => `${k}=${v}`);
  for (const e of s?.matchExpressions ?? []) parts.push(e.operator === "Exists" ? e.key : e.operator === "DoesNotExist" ? "!" + e.key : `${e.key} ${e.operator === "In" ? "in" : "notin"} (${e.values.join(",")})`);
  return parts.join(",");
}

export function Rollout(p: Shown) {
  const { object: o, ns } = p;
  const revisions = useRevisions(p);
  const r = replicas(o);
  const pods = kindOf("pods")!;
  const f = tableFeed(pods, ns, "labelSelector=" + encodeURIComponent(selectorText(o.spec.selector)));
  const rows = useRows(f);
  const stuck = condition(o, "Progressing", "False");
  return (
    <div class="stack">
      <Card title={t("Rollout")} wide>
        <div class="rollout"><Progress object={o} /><p>{o.spec.paused ? t("The rollout is paused.") : stuck ? <span class="bad">{stuck.message}</span> : t("{ready} of {want} ready, {updated} of the newest kind", r)}</p></div>
        <ol class="revisions">
          {revisions.slice(0, 12).map((v) => (
            <li key={v.name} class={v.current ? "current" : ""}>
              <strong>#{v.number}</strong>
              <span><a href={objectLink(v.id, ns, v.name)}>{v.images.map(shortImage).join(", ") || v.name}</a><small>{v.cause || v.name}</small></span>
              <span class="soft">{v.pods && (v.pods.have ? t("{ready} of {have} Pods ready", v.pods) : t("no Pods"))}</span>
              <Age at={v.created} />
              {v.current ? <span class="tag">{t("current")}</span> : <Back {...p} revision={v} />}
            </li>
          ))}
        </ol>
      </Card>
      <Card title={t("Pods")} wide><div class="embedded"><ObjectGrid kind={pods} feed={f} rows={rows} label={t("Pods")} without={["Namespace"]} /></div></Card>
    </div>
  );
}

function Back({ revision, ...p }: Shown & { revision: Revision }) {
  const [asking, setAsking] = useState(false);
  const [error, setError] = useState<Error>();
  const go = async () => {
    try {
      await request(pathOf(p.kind, p.ns, p.name) + "?fieldManager=coracle-view", { method: "PATCH", ...revision.back });
      say(t("{name} goes back to revision {n}", { name: p.name, n: revision.number }));
      setAsking(false);
    } catch (e) {
      setError(e as Error);
    }
  };
  return (
    <>
      <Button small off={refused(p, "patch")} onClick={() => (setError(undefined), setAsking(true))}>{t("Go back to it")}</Button>
      {asking && (
        <Dialog title={t("Take {name} back to revision {n}?", { name: p.name, n: revision.number })} onClose={() => setAsking(false)}>
          <div class="content">
            <p>{t("Its Pods are replaced by such with {images}.", { images: revision.images.join(", ") })}</p>
            {error && <Problem error={error} />}
            <footer><Button onClick={() => setAsking(false)}>{t("Cancel")}</Button><Button kind="main" onClick={() => void go()}>{t("Go back to it")}</Button></footer>
          </div>
        </Dialog>
      )}
    </>
  );
}
