// The API, with the credentials of a kubeconfig that coracle wrote: how tests make what the page is to show.
import { readFileSync } from "node:fs";
import { Agent, request } from "node:https";

export function connect(kubeconfig) {
  const text = readFileSync(kubeconfig, "utf8");
  const of = (key) => Buffer.from(text.match(new RegExp(key + ": (.*)"))[1], "base64");
  const server = text.match(/server: (.*)/)[1];
  const agent = new Agent({ keepAlive: true, maxSockets: 8, ca: of("certificate-authority-data"), cert: of("client-certificate-data"), key: of("client-key-data") });
  const ask = (method, path, body, type = "application/json") => new Promise((done, fail) => {
    const r = request(server + path, { method, agent, headers: { "Content-Type": type, Accept: "application/json" } }, (answer) => {
      let content = "";
      answer.setEncoding("utf8").on("data", (d) => (content += d)).on("end", () => {
        if (answer.statusCode >= 300) fail(new Error(`${method} ${path}: ${answer.statusCode} ${content.slice(0, 400)}`));
        else done(content);
      });
    });
    r.on("error", fail);
    r.end(body === undefined ? undefined : JSON.stringify(body));
  });
  const call = async (...what) => {
    const content = await ask(...what);
    return content ? JSON.parse(content) : undefined;
  };
  return {
    server, call,
    text: (path) => ask("GET", path),
    get: (path) => call("GET", path),
    post: (path, body) => call("POST", path, body),
    put: (path, body) => call("PUT", path, body),
    merge: (path, body) => call("PATCH", path, body, "application/merge-patch+json"),
    delete: (path) => call("DELETE", path),
  };
}

/** Does things side by side, a few at a time. */
export async function each(n, width, act) {
  let next = 0;
  await Promise.all(Array.from({ length: Math.min(width, n) }, async () => {
    while (next < n) await act(next++);
  }));
}

const then = (seconds) => new Date(Date.now() - seconds * 1000).toISOString().replace(/\.\d+Z/, "Z");

/** A node without a machine: it is Ready because we say so. */
export async function makeNode(api, name, { address = "10.1.0.1", port = 10250, ready = true, pods = "110" } = {}) {
  const node = await api.post("/api/v1/nodes", { apiVersion: "v1", kind: "Node", metadata: { name, labels: { "kubernetes.io/hostname": name, "topology.kubernetes.io/zone": "zone-" + "ab"[name.charCodeAt(name.length - 1) & 1] } } });
  const status = {
    addresses: [{ type: "InternalIP", address }, { type: "Hostname", address: name }], daemonEndpoints: { kubeletEndpoint: { Port: port } },
    capacity: { cpu: "16", memory: "64Gi", pods, "ephemeral-storage": "200Gi" }, allocatable: { cpu: "15800m", memory: "62Gi", pods, "ephemeral-storage": "180Gi" },
    conditions: ["MemoryPressure", "DiskPressure", "PIDPressure", "Ready"].map((type) => ({
      type, status: type === "Ready" ? (ready ? "True" : "False") : "False", reason: type === "Ready" ? (ready ? "KubeletReady" : "NetworkNotReady") : "KubeletHasSufficient" + type.replace("Pressure", ""),
      message: type === "Ready" ? (ready ? "kubelet is posting ready status" : "the Pod network is not there yet") : "kubelet has enough of it", lastTransitionTime: then(86400), lastHeartbeatTime: then(10),
    })),
    nodeInfo: { kubeletVersion: "v1.36.3+coracle", osImage: "Debian GNU/Linux 12 (bookworm)", kernelVersion: "6.1.0-40-amd64", containerRuntimeVersion: "containerd://2.3.7", architecture: "amd64", operatingSystem: "linux", bootID: "", kubeProxyVersion: "", machineID: "", systemUUID: "" },
  };
  await api.merge(`/api/v1/nodes/${name}/status`, { status });
  return node;
}

/** A Pod that runs on such a node, or fails there. */
export async function makePod(api, namespace, name, node, { labels = { app: name.replace(/-\w+$/, "") }, state = "Running", owner, image = "registry.example/web:1.4" } = {}) {
  const pod = await patiently(() => api.post(`/api/v1/namespaces/${namespace}/pods`, {
    apiVersion: "v1", kind: "Pod", metadata: { name, labels, ownerReferences: owner && [owner] },
    spec: { nodeName: node, terminationGracePeriodSeconds: 0, automountServiceAccountToken: false, containers: [{ name: "main", image, ports: [{ containerPort: 8080, name: "http" }], resources: { requests: { cpu: "100m", memory: "128Mi" }, limits: { memory: "256Mi" } } }] },
  }));
  await setState(api, pod, state);
  return pod;
}

export async function setState(api, pod, state, restarts = 0) {
  const running = state === "Running", done = state === "Completed";
  const ready = running ? "True" : "False";
  const container = { name: "main", image: pod.spec.containers[0].image, imageID: "", ready: running, restartCount: restarts, started: running };
  container.state = running ? { running: { startedAt: then(600) } } : done ? { terminated: { exitCode: 0, reason: "Completed", startedAt: then(600), finishedAt: then(60) } } : { waiting: { reason: state, message: state === "CrashLoopBackOff" ? "back-off 40s restarting failed container" : "" } };
  await api.merge(`/api/v1/namespaces/${pod.metadata.namespace}/pods/${pod.metadata.name}/status`, {
    status: {
      phase: running ? "Running" : done ? "Succeeded" : state === "CrashLoopBackOff" ? "Running" : "Pending", podIP: "10.244.1." + (1 + Math.floor(Math.random() * 250)), startTime: then(600),
      conditions: ["PodScheduled", "Initialized", "ContainersReady", "Ready"].map((type) => ({ type, status: type.endsWith("Ready") ? ready : "True", lastTransitionTime: then(600) })),
      containerStatuses: [container],
    },
  });
}

// A namespace's service account is made a moment after it.
async function patiently(act) {
  for (let left = 50; ; left--) {
    try {
      return await act();
    } catch (e) {
      if (!left || !/serviceaccount/.test(e.message)) throw e;
      await new Promise((r) => setTimeout(r, 100));
    }
  }
}
