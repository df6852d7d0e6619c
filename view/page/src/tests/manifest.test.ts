import assert from "node:assert/strict";
import { test } from "node:test";
import { documents } from "../pages/manifest";

test("a manifest's documents are told apart, and what each is of", () => {
  const all = documents(`# a comment
---
apiVersion: apps/v1
kind: Deployment # the web
metadata:
  labels:
    name: not-this
  name: "web"
  namespace: shop
spec:
  template:
    metadata: {name: neither}
---
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, labels: {a: b}}
data:
  kind: none
`);
  assert.deepEqual(all.map((d) => [d.apiVersion, d.kind, d.namespace, d.name]), [["apps/v1", "Deployment", "shop", "web"], ["v1", "ConfigMap", "", "settings"]]);
});
