// RBAC, read: who is allowed something, and by what.

export interface Question {
  verb: string;
  group: string;
  /** With a subresource after a slash. */
  resource: string;
  name: string;
  /** Empty: in all namespaces, or what has none. */
  namespace: string;
}

interface Named {
  kind: string;
  namespace: string;
  name: string;
}

export interface Grant {
  subject: Named;
  /** Where it holds; empty is everywhere. */
  namespace: string;
  binding: Named;
  role: Named;
}

export interface RBAC {
  clusterRoles: any[];
  roles: any[];
  clusterRoleBindings: any[];
  roleBindings: any[];
}

/** https://kubernetes.io/docs/reference/access-authn-authz/rbac/ */
export function allows(rule: any, q: Question): boolean {
  const [, sub] = q.resource.split("/");
  return (
    (rule.verbs?.includes("*") || rule.verbs?.includes(q.verb)) &&
    (rule.apiGroups?.includes("*") || rule.apiGroups?.includes(q.group)) &&
    (rule.resources?.includes("*") || rule.resources?.includes(q.resource) || (!!sub && rule.resources?.includes("*/" + sub))) &&
    // Rules of single names allow nothing of others, and what has no name yet is none of these.
    (!rule.resourceNames?.length || (q.name !== "" && rule.resourceNames.includes(q.name)))
  );
}

export function grants(rbac: RBAC, q: Question): Grant[] {
  const roles = new Map<string, any>();
  for (const r of rbac.clusterRoles) roles.set("ClusterRole//" + r.metadata.name, r);
  for (const r of rbac.roles) roles.set(`Role/${r.metadata.namespace}/${r.metadata.name}`, r);
  const found: Grant[] = [];
  const look = (b: any, kind: string) => {
    const ns = b.metadata.namespace ?? "";
    const roleNS = b.roleRef.kind === "ClusterRole" ? "" : ns;
    const role = roles.get(`${b.roleRef.kind}/${roleNS}/${b.roleRef.name}`);
    if (!role?.rules?.some((r: any) => allows(r, q))) return;
    for (const s of b.subjects ?? []) {
      found.push({ subject: { kind: s.kind, namespace: s.namespace ?? "", name: s.name }, namespace: ns, binding: { kind, namespace: ns, name: b.metadata.name }, role: { kind: b.roleRef.kind, namespace: roleNS, name: b.roleRef.name } });
    }
  };
  for (const b of rbac.clusterRoleBindings) look(b, "ClusterRoleBinding");
  for (const b of rbac.roleBindings) if (!q.namespace || b.metadata.namespace === q.namespace) look(b, "RoleBinding");
  const order = (g: Grant) => [g.namespace, g.subject.kind, g.subject.namespace, g.subject.name].join("/");
  return found.sort((a, b) => (order(a) < order(b) ? -1 : 1));
}
