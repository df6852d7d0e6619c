// Empties a node: no new Pods, and those that are there are evicted, which asks disruption budgets.
import { useEffect, useState } from "preact/hooks";
import { refusal } from "../api/access";
import { pathOf } from "../api/kinds";
import { ApiError, getJSON, patch, request } from "../api/transport";
import { t } from "../i18n";
import { Button, Destroy, Problem, say } from "../ui/parts";
import type { Shown } from "./shown";

const patience = 120_000, between = 3000;

const controller = (pod: any) => pod.metadata.ownerReferences?.find((o: any) => o.controller);
/** Those that stay: a DaemonSet's would come back at once, and mirrors are the node's own. */
const stays = (pod: any) => controller(pod)?.kind === "DaemonSet" || "kubernetes.io/config.mirror" in (pod.metadata.annotations ?? {});

const podsOn = async (node: string): Promise<any[]> => ((await getJSON("/api/v1/pods?fieldSelector=" + encodeURIComponent("spec.nodeName=" + node))).items ?? []).filter((p: any) => !stays(p) && !p.metadata.deletionTimestamp);

async function evict(pod: any) {
  const { namespace, name, uid } = pod.metadata;
  try {
    await request(`/api/v1/namespaces/${namespace}/pods/${name}/eviction`, {
      method: "POST", body: JSON.stringify({ apiVersion: "policy/v1", kind: "Eviction", metadata: { name, namespace }, deleteOptions: { preconditions: { uid } } }),
    });
  } catch (e) {
    if ((e as ApiError).status !== 404) throw e; // it has gone by itself
  }
}

/** Evicts all, and those that a budget keeps again, until none is left or patience ends. */
async function drain(p: Shown, tell: (left: number) => void) {
  await patch(pathOf(p.kind, "", p.name), { spec: { unschedulable: true } });
  let left = await podsOn(p.name), kept: Error | undefined;
  for (const end = Date.now() + patience; left.length; ) {
    const still: any[] = [];
    for (const pod of left) {
      try {
        await evict(pod);
      } catch (e) {
        if ((e as ApiError).status !== 429) throw e;
        kept = e as Error;
        still.push(pod);
      }
      tell(left.length - left.indexOf(pod) - 1 + still.length);
    }
    left = still;
    if (left.length && Date.now() > end) throw new Error(t("{n} Pods are kept by disruption budgets", { n: left.length }) + ": " + kept!.message);
    if (left.length) await new Promise((r) => setTimeout(r, between));
  }
  say(t("{name} is empty but for what belongs to it", { name: p.name }));
}

export function Drain(p: Shown) {
  const [asking, setAsking] = useState(false);
  const off = refusal({ verb: "patch", resource: "nodes", name: p.name }) || refusal({ verb: "create", resource: "pods", subresource: "eviction" });
  return (
    <>
      <Button icon="down" off={off} onClick={() => setAsking(true)}>{t("Drain")}</Button>
      {asking && <Asking {...p} onClose={() => setAsking(false)} />}
    </>
  );
}

function Asking({ onClose, ...p }: Shown & { onClose: () => void }) {
  const [pods, setPods] = useState<any[]>();
  const [left, setLeft] = useState<number>();
  const [error, setError] = useState<Error>();
  useEffect(() => void podsOn(p.name).then(setPods, setError), []);
  const orphans = (pods ?? []).filter((x) => !controller(x));
  return (
    <Destroy title={t("Drain {name}?", { name: p.name })} name={p.name} verb={t("Drain")} act={() => drain(p, setLeft)} onClose={onClose}>
      {error && <Problem error={error} />}
      {pods && <p>{t("{n} Pods are evicted, as far as disruption budgets let them go. It takes no new ones.", { n: pods.length })}</p>}
      {orphans.length > 0 && <p class="bad">{t("{n} of them belong to nothing and do not come back: {names}", { n: orphans.length, names: orphans.slice(0, 8).map((x) => x.metadata.namespace + "/" + x.metadata.name).join(", ") + (orphans.length > 8 ? " …" : "") })}</p>}
      <p role="status" class="soft">{left !== undefined && t("{n} left", { n: left })}</p>
    </Destroy>
  );
}
