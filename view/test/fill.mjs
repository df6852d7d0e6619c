// What the tests' cluster holds: nodes without machines, Pods in all states, workloads, policies, and markup where text belongs.
import { each, makeNode, makePod, setState } from "./api.mjs";

export const markup = '<img src=x onerror="window.attacked=1"><script>window.attacked=1</script>';

export async function fill(api, { nodes = 12, pods = 120 } = {}) {
  const name = (i) => "worker-" + String(i + 1).padStart(String(nodes).length, "0");
  await each(nodes, 6, (i) => makeNode(api, name(i), { address: `10.1.${i >> 8}.${i & 255}`, ready: i !== 6, pods: String(Math.max(110, Math.ceil((pods / nodes) * 1.5))) }));
  const namespaces = ["shop", "billing", "search"];
  for (const ns of namespaces) await api.post("/api/v1/namespaces", { apiVersion: "v1", kind: "Namespace", metadata: { name: ns, labels: { team: ns } } });
  const apps = ["checkout", "catalog", "cart", "gateway", "ledger"];
  await each(pods, 8, (i) => {
    const app = apps[i % apps.length], state = i % 41 === 7 ? "CrashLoopBackOff" : i % 37 === 5 ? "ContainerCreating" : i % 53 === 11 ? "Completed" : "Running";
    return makePod(api, namespaces[i % 3], `${app}-${i}`, name((i * 7) % nodes), { state, labels: { app } });
  });
  const template = (app, image) => ({ metadata: { labels: { app } }, spec: { terminationGracePeriodSeconds: 0, containers: [{ name: "main", image, ports: [{ containerPort: 8080, name: "http" }] }] } });
  await api.post("/apis/apps/v1/namespaces/shop/deployments", { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "storefront" }, spec: { replicas: 3, selector: { matchLabels: { app: "storefront" } }, template: template("storefront", "registry.example/shop/storefront:2.1.0") } });
  await api.post("/apis/apps/v1/namespaces/shop/statefulsets", { apiVersion: "apps/v1", kind: "StatefulSet", metadata: { name: "orders-db" }, spec: { replicas: 2, serviceName: "orders-db", podManagementPolicy: "Parallel", selector: { matchLabels: { app: "orders-db" } }, template: template("orders-db", "registry.example/postgres:17") } });
  await api.post("/apis/apps/v1/namespaces/search/daemonsets", { apiVersion: "apps/v1", kind: "DaemonSet", metadata: { name: "shipper" }, spec: { selector: { matchLabels: { app: "shipper" } }, template: template("shipper", "registry.example/shipper:0.9") } });
  const policy = (name, spec) => api.post("/apis/networking.k8s.io/v1/namespaces/shop/networkpolicies", { apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy", metadata: { name }, spec });
  await policy("orders-db-callers", {
    podSelector: { matchLabels: { app: "orders-db" } }, policyTypes: ["Ingress", "Egress"],
    ingress: [{ from: [{ podSelector: { matchLabels: { app: "storefront" } } }, { podSelector: { matchLabels: { app: "checkout" } } }, { namespaceSelector: { matchLabels: { team: "billing" } }, podSelector: { matchLabels: { app: "ledger" } } }], ports: [{ port: 5432 }] }],
    egress: [{ to: [{ ipBlock: { cidr: "10.96.0.0/16" } }], ports: [{ port: 53, protocol: "UDP" }] }],
  });
  await policy("checkout-quiet", { podSelector: { matchLabels: { app: "checkout" } }, policyTypes: ["Egress"], egress: [{ to: [{ podSelector: { matchLabels: { app: "cart" } } }] }] });
  await api.post("/api/v1/namespaces/shop/configmaps", { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "markup", annotations: { note: markup } }, data: { text: markup, [".colour"]: "teal" } });
  await api.post("/api/v1/namespaces/shop/secrets", { apiVersion: "v1", kind: "Secret", metadata: { name: "payment" }, stringData: { key: "not-a-real-key" } });
  await event(api, "shop", "checkout-0", "Warning", "BackOff", "Back-off restarting failed container main");
  await event(api, "shop", "cart-12", "Warning", "Markup", markup);
  // Pods of controllers run, too: there are no kubelets that would say so.
  for (let want = 20; ; ) {
    const waiting = (await api.get("/api/v1/pods?fieldSelector=status.phase%3DPending")).items.filter((p) => p.spec.nodeName && !p.status.containerStatuses);
    for (const p of waiting) await setState(api, p, "Running");
    const there = (await api.get("/apis/apps/v1/deployments")).items.every((d) => d.status.readyReplicas === d.spec.replicas);
    if (there && !waiting.length) return;
    if (!want--) throw new Error("the workloads did not get ready");
    await new Promise((r) => setTimeout(r, 300));
  }
}

export async function event(api, ns, pod, type, reason, message) {
  const p = await api.get(`/api/v1/namespaces/${ns}/pods/${pod}`), at = new Date().toISOString().replace(/\.\d+Z/, "Z");
  return api.post(`/api/v1/namespaces/${ns}/events`, { apiVersion: "v1", kind: "Event", metadata: { generateName: pod + "." }, type, reason, message, count: 1, firstTimestamp: at, lastTimestamp: at, source: { component: "kubelet" }, involvedObject: { apiVersion: "v1", kind: "Pod", namespace: ns, name: pod, uid: p.metadata.uid } });
}
