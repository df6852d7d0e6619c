// What network policies allow, read as the API means them: https://kubernetes.io/docs/concepts/services-networking/network-policies/

export type Labels = Record<string, string>;

export interface Group {
  key: string;
  namespace: string;
  name: string;
  kind: string;
  labels: Labels;
  pods: number;
}

export type Direction = "ingress" | "egress";

/** What may talk: all, a group of Pods, or addresses. */
export type Peer = { all: true } | { group: Group } | { block: string };

export interface Edge {
  peer: Peer;
  ports: string;
  policies: string[];
  /** Policies of the other side that do not let it. */
  refusedBy: string[];
}

export interface World {
  groups: Group[];
  namespaces: Map<string, Labels>;
  policies: any[];
}

export function matches(selector: any, labels: Labels): boolean {
  for (const [k, v] of Object.entries(selector?.matchLabels ?? {})) if (labels[k] !== v) return false;
  for (const e of selector?.matchExpressions ?? []) {
    const has = e.key in labels, value = labels[e.key];
    if (e.operator === "In" && !(has && e.values.includes(value))) return false;
    if (e.operator === "NotIn" && has && e.values.includes(value)) return false;
    if (e.operator === "Exists" && !has) return false;
    if (e.operator === "DoesNotExist" && has) return false;
  }
  return true;
}

const types = (p: any): string[] => p.spec.policyTypes ?? ["Ingress", ...(p.spec.egress ? ["Egress"] : [])];

/** The policies that say something about a group in a direction. None: everything is allowed. */
export function selecting(w: World, g: Group, d: Direction): any[] {
  const type = d === "ingress" ? "Ingress" : "Egress";
  return w.policies.filter((p) => p.metadata.namespace === g.namespace && types(p).includes(type) && matches(p.spec.podSelector, g.labels));
}

function peerHas(w: World, peer: any, ns: string, g: Group): boolean {
  if (peer.ipBlock) return false; // addresses of Pods may lie in it, but it is not meant for Pods
  if (peer.namespaceSelector) {
    if (!matches(peer.namespaceSelector, w.namespaces.get(g.namespace) ?? {})) return false;
  } else if (g.namespace !== ns) return false;
  return !peer.podSelector || matches(peer.podSelector, g.labels);
}

const rules = (p: any, d: Direction): any[] => p.spec[d] ?? [];
const peers = (rule: any, d: Direction): any[] => (d === "ingress" ? rule.from : rule.to) ?? [];

export function portsText(rule: any): string {
  return (rule.ports ?? []).map((p: any) => (p.port === undefined ? p.protocol ?? "TCP" : `${p.port}${p.endPort ? "-" + p.endPort : ""}${p.protocol && p.protocol !== "TCP" ? "/" + p.protocol : ""}`)).join(", ");
}

/** Whether other is let by g's policies, and by which it is judged. Ports are not compared: that some pass is enough. */
export function lets(w: World, g: Group, d: Direction, other: Group): { allowed: boolean; by: string[] } {
  const policies = selecting(w, g, d);
  if (!policies.length) return { allowed: true, by: [] };
  const allowed = policies.some((p) => rules(p, d).some((r) => !peers(r, d).length || peers(r, d).some((x) => peerHas(w, x, g.namespace, other))));
  return { allowed, by: policies.map((p) => p.metadata.name) };
}

/** Who may talk to g, or whom g may talk to. open: no policy says anything, so that all may. */
export function edges(w: World, g: Group, d: Direction): { open: boolean; edges: Edge[]; policies: string[] } {
  const policies = selecting(w, g, d);
  const found = new Map<string, Edge>();
  const add = (id: string, peer: Peer, ports: string, policy: string) => {
    const e = found.get(id + " " + ports) ?? { peer, ports, policies: [], refusedBy: [] };
    if (!e.policies.includes(policy)) e.policies.push(policy);
    found.set(id + " " + ports, e);
  };
  for (const p of policies) for (const rule of rules(p, d)) {
    const ports = portsText(rule), name = p.metadata.name;
    if (!peers(rule, d).length) add("*", { all: true }, ports, name);
    for (const peer of peers(rule, d)) {
      if (peer.ipBlock) {
        const block = peer.ipBlock.cidr + (peer.ipBlock.except?.length ? " − " + peer.ipBlock.except.join(", ") : "");
        add(block, { block }, ports, name);
      } else for (const other of w.groups) if (peerHas(w, peer, g.namespace, other)) add(other.key, { group: other }, ports, name);
    }
  }
  // Both sides must let it.
  for (const e of found.values()) if ("group" in e.peer && e.peer.group !== g) {
    const back = lets(w, e.peer.group, d === "ingress" ? "egress" : "ingress", g);
    if (!back.allowed) e.refusedBy = back.by;
  }
  return { open: !policies.length, edges: [...found.values()].sort((a, b) => (label(a.peer) < label(b.peer) ? -1 : 1)), policies: policies.map((p) => p.metadata.name) };
}

export const label = (p: Peer): string => ("all" in p ? "*" : "group" in p ? p.group.namespace + "/" + p.group.name : p.block);
