// What the server has, by its aggregated discovery.
import { signal } from "@preact/signals";
import { getJSON } from "./transport";

export interface Kind {
  group: string;
  version: string;
  resource: string;
  kind: string;
  namespaced: boolean;
  verbs: string[];
  short: string[];
  subresources: string[];
}

/** By id: pods, deployments.apps. */
export const kinds = signal<Map<string, Kind>>(new Map());
/** Set when discovery has answered, or could not. */
export const discovered = signal(false);

export const idOf = (k: { resource: string; group: string }) => (k.group ? k.resource + "." + k.group : k.resource);

/** The URL of a kind's collection, in a namespace or in all. */
export function pathOf(k: Kind, namespace = "", name = ""): string {
  let p = k.group ? `/apis/${k.group}/${k.version}` : `/api/${k.version}`;
  if (k.namespaced && namespace) p += "/namespaces/" + encodeURIComponent(namespace);
  p += "/" + k.resource;
  return name ? p + "/" + encodeURIComponent(name) : p;
}

const core = (resource: string, kind: string, namespaced = true, version = "v1", group = ""): Kind => ({
  group, version, resource, kind, namespaced, verbs: ["list", "watch", "get"], short: [], subresources: [],
});

// Those that the page itself shows need not wait for discovery.
const known: Kind[] = [
  core("pods", "Pod"), core("nodes", "Node", false), core("namespaces", "Namespace", false), core("events", "Event"), core("services", "Service"),
  core("deployments", "Deployment", true, "v1", "apps"), core("replicasets", "ReplicaSet", true, "v1", "apps"),
  core("statefulsets", "StatefulSet", true, "v1", "apps"), core("daemonsets", "DaemonSet", true, "v1", "apps"),
  core("jobs", "Job", true, "v1", "batch"), core("cronjobs", "CronJob", true, "v1", "batch"),
  core("networkpolicies", "NetworkPolicy", true, "v1", "networking.k8s.io"),
  core("roles", "Role", true, "v1", "rbac.authorization.k8s.io"), core("rolebindings", "RoleBinding", true, "v1", "rbac.authorization.k8s.io"),
  core("clusterroles", "ClusterRole", false, "v1", "rbac.authorization.k8s.io"), core("clusterrolebindings", "ClusterRoleBinding", false, "v1", "rbac.authorization.k8s.io"),
];
const knownByID = new Map(known.map((k) => [idOf(k), k]));

export const kindOf = (id: string): Kind | undefined => kinds.value.get(id) ?? knownByID.get(id);

/** The kind that an object's apiVersion and kind name. */
export function kindNamed(apiVersion: string, kind: string): Kind | undefined {
  const group = apiVersion.includes("/") ? apiVersion.split("/")[0] : "";
  for (const k of [...kinds.value.values(), ...known]) if (k.kind === kind && k.group === group) return k;
}

export async function discover() {
  const accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
  try {
    const lists = await Promise.all(["/api", "/apis"].map((p) => getJSON(p, { accept })));
    const found = new Map<string, Kind>();
    for (const group of lists.flatMap((l) => l.items ?? [])) {
      for (const version of group.versions ?? []) for (const r of version.resources ?? []) {
        const k: Kind = {
          group: group.metadata.name ?? "", version: version.version, resource: r.resource, kind: r.responseKind?.kind ?? r.resource,
          namespaced: r.scope === "Namespaced", verbs: r.verbs ?? [], short: r.shortNames ?? [],
          subresources: (r.subresources ?? []).map((s: any) => s.subresource),
        };
        if (!found.has(idOf(k))) found.set(idOf(k), k); // the first version is the preferred one
      }
    }
    kinds.value = found;
  } finally {
    discovered.value = true;
  }
}
