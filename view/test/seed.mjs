// Fills a cluster without machines: node seed.mjs KUBECONFIG [NODES [PODS]]
import { connect, each, makeNode, makePod } from "./api.mjs";

const [kubeconfig, nodes = "12", pods = "220"] = process.argv.slice(2);
const api = connect(kubeconfig);
const n = Number(nodes), m = Number(pods);
const nodeName = (i) => "worker-" + String(i + 1).padStart(String(n).length, "0");
await each(n, 8, (i) => makeNode(api, nodeName(i), { address: `10.1.${i >> 8}.${i & 255}`, ready: i !== 6, pods: String(Math.max(110, Math.ceil(m / n) + 10)) }));
const namespaces = ["shop", "billing", "search", "media", "observability"];
for (const ns of namespaces) await api.post("/api/v1/namespaces", { apiVersion: "v1", kind: "Namespace", metadata: { name: ns, labels: { team: ns } } });
const apps = ["checkout", "catalog", "cart", "gateway", "worker", "indexer", "cache", "ledger"];
const id = (i) => (i * 2654435761 % 4294967296).toString(36).padStart(7, "0").slice(-5);
let made = 0;
await each(m, 8, async (i) => {
  const app = apps[i % apps.length];
  const state = i % 41 === 7 ? "CrashLoopBackOff" : i % 37 === 5 ? "ContainerCreating" : i % 53 === 11 ? "Completed" : "Running";
  await makePod(api, namespaces[i % 5], `${app}-${id(i)}${i}`, nodeName(i * 7 % n), { state, labels: { app, tier: i % 2 ? "backend" : "frontend" } });
  if (++made % 5000 === 0) console.log(made);
});
