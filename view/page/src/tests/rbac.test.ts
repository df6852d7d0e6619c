import assert from "node:assert/strict";
import { test } from "node:test";
import { allows, grants, type Question } from "../pages/rbac";

const ask = (q: Partial<Question>): Question => ({ verb: "get", group: "", resource: "pods", name: "", namespace: "", ...q });
const rule = (verbs: string, groups: string, resources: string, names?: string[]) => ({ verbs: verbs.split(","), apiGroups: groups.split(","), resources: resources.split(","), resourceNames: names });

test("rules allow what RBAC says that they allow", () => {
  for (const [r, q, want] of [
    [rule("get,list", "", "pods"), {}, true], [rule("list", "", "pods"), {}, false], [rule("*", "*", "*"), { verb: "delete", group: "apps", resource: "deployments" }, true],
    [rule("get", "apps", "pods"), {}, false], [rule("get", "", "pods"), { resource: "pods/log" }, false], [rule("get", "", "pods/log"), { resource: "pods/log" }, true],
    [rule("get", "", "*/log"), { resource: "pods/log" }, true], [rule("get", "", "pods", ["a"]), { name: "a" }, true], [rule("get", "", "pods", ["a"]), { name: "b" }, false], [rule("get", "", "pods", ["a"]), {}, false],
  ] as [any, Partial<Question>, boolean][]) assert.equal(allows(r, ask(q)), want, JSON.stringify([r, q]));
});

test("who is allowed, where, and by what", () => {
  const role = (kind: string, name: string, namespace?: string) => ({ metadata: { name, namespace }, rules: [rule("get", "", "pods")], kind });
  const binding = (name: string, kind: string, roleName: string, user: string, namespace?: string) => ({ metadata: { name, namespace }, roleRef: { kind, name: roleName }, subjects: [{ kind: "User", name: user }] });
  const rbac = {
    clusterRoles: [role("ClusterRole", "reader")], roles: [role("Role", "reader", "a")],
    clusterRoleBindings: [binding("all", "ClusterRole", "reader", "ann"), binding("none", "ClusterRole", "missing", "eve")],
    roleBindings: [binding("some", "ClusterRole", "reader", "ben", "b"), binding("own", "Role", "reader", "cat", "a"), binding("wrong", "Role", "reader", "eve", "b")],
  };
  const seen = (namespace: string) => grants(rbac, ask({ namespace })).map((g) => `${g.subject.name}@${g.namespace} by ${g.binding.name}`);
  assert.deepEqual(seen(""), ["ann@ by all", "cat@a by own", "ben@b by some"]);
  assert.deepEqual(seen("a"), ["ann@ by all", "cat@a by own"]);
});
