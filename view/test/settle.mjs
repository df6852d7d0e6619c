// Says of Pods that controllers made that they run: there are no kubelets here that would.
import { connect, setState } from "./api.mjs";
const api = connect(process.argv[2]);
for (const p of (await api.get("/api/v1/pods?fieldSelector=status.phase%3DPending")).items) if (p.spec.nodeName && !p.status.containerStatuses?.length) await setState(api, p, /storefront.*[a-f]$|reindex/.test(p.metadata.name) ? "ContainerCreating" : "Running");
for (let i = 0; i < 9; i++) {
  const pods = (await api.get("/api/v1/namespaces/shop/pods?limit=20")).items, p = pods[i];
  const at = new Date(Date.now() - i * 47_000).toISOString().replace(/\.\d+Z/, "Z");
  const [type, reason, message] = [["Warning", "BackOff", "Back-off restarting failed container main in pod " + p.metadata.name], ["Warning", "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503"], ["Normal", "Pulled", "Successfully pulled image in 1.2s"]][i % 3];
  await api.post("/api/v1/namespaces/shop/events", { apiVersion: "v1", kind: "Event", metadata: { name: p.metadata.name + "." + i + Date.now().toString(16) }, type, reason, message, count: i + 1, firstTimestamp: at, lastTimestamp: at, source: { component: "kubelet", host: p.spec.nodeName }, involvedObject: { apiVersion: "v1", kind: "Pod", namespace: "shop", name: p.metadata.name, uid: p.metadata.uid } });
}
