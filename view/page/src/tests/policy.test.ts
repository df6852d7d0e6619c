import assert from "node:assert/strict";
import { test } from "node:test";
import { edges, label, lets, matches, portsText, selecting, type Group, type World } from "../pages/policy";

const group = (namespace: string, name: string, labels: Record<string, string> = { app: name }): Group => ({ key: namespace + "/" + name, namespace, name, kind: "Deployment", labels, pods: 1 });
const web = group("shop", "web"), db = group("shop", "db"), ledger = group("billing", "ledger"), other = group("billing", "other");
const policy = (name: string, namespace: string, spec: object) => ({ metadata: { name, namespace }, spec });
const world = (...policies: any[]): World => ({ groups: [web, db, ledger, other], namespaces: new Map([["shop", { team: "shop" }], ["billing", { team: "billing" }]]), policies });
const seen = (w: World, g: Group, d: "ingress" | "egress") => {
  const e = edges(w, g, d);
  return e.open ? "open" : e.edges.map((x) => label(x.peer) + (x.ports && ":" + x.ports) + (x.refusedBy.length ? " refused by " + x.refusedBy : "")).join(", ");
};

test("selectors match as the API means them", () => {
  for (const [selector, labels, want] of [
    [{}, { a: "1" }, true], [undefined, {}, true], [{ matchLabels: { a: "1" } }, { a: "1", b: "2" }, true], [{ matchLabels: { a: "1" } }, { a: "2" }, false],
    [{ matchExpressions: [{ key: "a", operator: "In", values: ["1", "2"] }] }, { a: "2" }, true], [{ matchExpressions: [{ key: "a", operator: "In", values: ["1"] }] }, {}, false],
    [{ matchExpressions: [{ key: "a", operator: "NotIn", values: ["1"] }] }, {}, true], [{ matchExpressions: [{ key: "a", operator: "NotIn", values: ["1"] }] }, { a: "1" }, false],
    [{ matchExpressions: [{ key: "a", operator: "Exists" }] }, { a: "" }, true], [{ matchExpressions: [{ key: "a", operator: "DoesNotExist" }] }, { a: "" }, false],
  ] as [any, Record<string, string>, boolean][]) assert.equal(matches(selector, labels), want, JSON.stringify([selector, labels]));
});

test("without a policy all is open; one that allows nothing closes", () => {
  assert.equal(seen(world(), db, "ingress"), "open");
  const deny = world(policy("deny", "shop", { podSelector: {} }));
  assert.equal(seen(deny, db, "ingress"), "");
  assert.equal(seen(deny, db, "egress"), "open", "a policy without egress says nothing of it");
  assert.equal(seen(deny, ledger, "ingress"), "open", "policies are of their namespace");
});

test("peers are Pods of the namespace, of others, or addresses", () => {
  const from = (...peers: object[]) => world(policy("p", "shop", { podSelector: { matchLabels: { app: "db" } }, ingress: [{ from: peers, ports: [{ port: 5432 }] }] }));
  assert.equal(seen(from({ podSelector: { matchLabels: { app: "web" } } }), db, "ingress"), "shop/web:5432");
  assert.equal(seen(from({ podSelector: { matchLabels: { app: "ledger" } } }), db, "ingress"), "", "without a namespaceSelector those of the policy's own namespace");
  assert.equal(seen(from({ namespaceSelector: { matchLabels: { team: "billing" } } }), db, "ingress"), "billing/ledger:5432, billing/other:5432");
  assert.equal(seen(from({ namespaceSelector: {}, podSelector: { matchLabels: { app: "ledger" } } }), db, "ingress"), "billing/ledger:5432");
  assert.equal(seen(from({ ipBlock: { cidr: "10.0.0.0/8", except: ["10.1.0.0/16"] } }), db, "ingress"), "10.0.0.0/8 − 10.1.0.0/16:5432");
  assert.equal(seen(world(policy("p", "shop", { podSelector: {}, ingress: [{}] })), db, "ingress"), "*", "a rule without peers allows all");
});

test("policies add up, and both sides must let it", () => {
  const w = world(
    policy("a", "shop", { podSelector: {}, ingress: [{ from: [{ podSelector: { matchLabels: { app: "web" } } }] }] }),
    policy("b", "shop", { podSelector: {}, ingress: [{ from: [{ namespaceSelector: { matchLabels: { team: "billing" } } }] }] }),
    policy("quiet", "billing", { podSelector: { matchLabels: { app: "ledger" } }, policyTypes: ["Egress"] }),
  );
  assert.equal(seen(w, db, "ingress"), "billing/ledger refused by quiet, billing/other, shop/web");
  assert.deepEqual(selecting(w, db, "ingress").map((p) => p.metadata.name), ["a", "b"]);
  assert.equal(lets(w, ledger, "egress", db).allowed, false);
  assert.equal(lets(w, other, "egress", db).allowed, true);
});

test("ports are said as they are written", () => {
  assert.equal(portsText({ ports: [{ port: 80 }, { port: 53, protocol: "UDP" }, { port: 1000, endPort: 2000 }, { port: "http" }, { protocol: "SCTP" }] }), "80, 53/UDP, 1000-2000, http, SCTP");
  assert.equal(portsText({}), "");
});
