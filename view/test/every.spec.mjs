// Every page and action, by mouse and by keys alone, in both languages and themes, wide and narrow. What it did is asked of the API.
import { makeNode, makePod } from "./api.mjs";
import { event } from "./fill.mjs";
import { keys, mouse, speaks } from "./hands.mjs";
import { expect, test } from "./view.mjs";

test.use({ actionTimeout: 20_000, screenshot: "only-on-failure" });
const hands = { mouse, keys };
const labels = { app: "web" };
const template = { metadata: { labels }, spec: { terminationGracePeriodSeconds: 0, containers: [{ name: "main", image: "registry.example/web:1" }] } };

/** What is acted on: a namespace and a node of this test's own. */
async function make(api, ns, node) {
  await api.post("/api/v1/namespaces", { apiVersion: "v1", kind: "Namespace", metadata: { name: ns, labels: { team: ns } } });
  const apps = (kind, name, spec) => api.post(`/apis/apps/v1/namespaces/${ns}/${kind.toLowerCase()}s`, { apiVersion: "apps/v1", kind, metadata: { name }, spec: { selector: { matchLabels: labels }, template, ...spec } });
  await makeNode(api, node, {});
  await makePod(api, ns, "lone-1", node);
  await apps("Deployment", "web", { replicas: 0 });
  await apps("StatefulSet", "db", { replicas: 0, serviceName: "db" });
  await apps("DaemonSet", "agent", { template: { ...template, spec: { ...template.spec, nodeSelector: { none: "such" } } } });
  await apps("ReplicaSet", "bare", { replicas: 0, selector: { matchLabels: { app: "bare" } }, template: { ...template, metadata: { labels: { app: "bare" } } } });
  await api.post(`/apis/batch/v1/namespaces/${ns}/cronjobs`, { apiVersion: "batch/v1", kind: "CronJob", metadata: { name: "nightly" }, spec: { schedule: "0 3 * * *", jobTemplate: { spec: { template: { spec: { restartPolicy: "Never", containers: template.spec.containers } } } } } });
  await api.post(`/api/v1/namespaces/${ns}/configmaps`, { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "conf" }, data: { colour: "teal" } });
  await api.post(`/apis/networking.k8s.io/v1/namespaces/${ns}/networkpolicies`, { apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy", metadata: { name: "closed" }, spec: { podSelector: {}, policyTypes: ["Ingress"] } });
  await event(api, ns, "lone-1", "Warning", "Odd", "something is odd");
}

for (const hand of ["mouse", "keys"]) for (const width of [1600, 400]) for (const theme of ["light", "dark"]) for (const language of ["en", "zh"]) {
  test(`every action by ${hand} at ${width} pixels, ${theme}, ${language}`, async ({ page, view, api, context }) => {
    test.setTimeout(600_000);
    const ns = ["every", hand, width, theme, language].join("-"), node = ns.replace("every", "own"), say = speaks(language), step = test.step;
    await make(api, ns, node);
    await context.grantPermissions(["clipboard-read", "clipboard-write"]);
    await page.setViewportSize({ width, height: width === 400 ? 800 : 900 });
    const { press, write, choose, check, openRow } = hands[hand](page);
    const button = (name, exact = true) => page.getByRole("button", { name: say(name), exact });
    const title = page.getByRole("heading", { level: 1 }), dialog = page.getByRole("dialog");
    const place = async (name) => {
      await press(page.locator("body > nav ul").getByRole("link", { name: say(name), exact: true }));
      await expect(title).toContainText(name === "Overview" ? "coracle" : say(name));
    };
    const filter = async (text) => write(page.locator(".filter").first(), text);
    const find = async (words) => {
      await press(button("Find (Ctrl K or /)"));
      await expect(page.locator(".palette")).toBeFocused();
      await page.keyboard.type(words);
      await (hand === "mouse" ? page.getByRole("option", { name: words }).first().click() : page.keyboard.press("Enter"));
      await expect(dialog).toHaveCount(0);
    };
    const get = (path) => api.get(path.replace("NS", ns));

    await step("language and theme", async () => {
      if (language === "zh") await press(page.getByRole("button", { name: "中文" }));
      await expect(page.locator("html")).toHaveAttribute("lang", language === "zh" ? "zh-CN" : "en");
      while ((await page.locator("html").getAttribute("data-theme")) !== theme) await press(page.locator(".choices button").nth(2));
      await expect(page.locator("html")).toHaveCSS("color-scheme", theme);
    });
    await step("every place", async () => {
      for (const name of ["Nodes", "Workloads", "Pods", "Events", "Network", "Rights", "Forwards", "All kinds", "Overview"]) await place(name);
    });
    await step("a list: namespace, filter, order, an object and back", async () => {
      await place("Pods");
      await choose(page.getByLabel(say("Namespace")), ns);
      await expect(page.locator(".count")).toHaveText("1");
      await filter("nothing");
      await expect(page.getByText(say("Nothing passes the filter"))).toBeVisible();
      await filter("lone");
      if (width === 1600) {
        await press(page.getByRole("button", { name: say("Age") }));
        await expect(page.getByRole("columnheader", { name: say("Age") })).toHaveAttribute("aria-sort", "ascending");
      }
      await openRow("lone-1");
      await expect(title).toContainText("lone-1");
      for (const tab of ["Ports", "YAML", "Events", "Summary"]) await press(page.locator(".tabs").getByRole("link", { name: say(tab), exact: true }));
      await press(page.getByRole("link", { name: say("Back"), exact: true }));
      await expect(title).toContainText(say("Pods"));
    });
    const workload = async (name) => {
      await place("Workloads");
      await filter(name);
      await openRow(name);
      await expect(title).toContainText(name);
    };
    const scale = async (n) => {
      await press(button("Scale"));
      await write(page.getByRole("spinbutton"), String(n));
      await press(dialog.getByRole("button", { name: say("Scale"), exact: true }));
      await expect(dialog).toHaveCount(0);
    };
    const annotated = (path) => expect.poll(async () => (await get(path)).spec.template.metadata.annotations?.["kubectl.kubernetes.io/restartedAt"]).toMatch(/^20/);
    await step("a Deployment", async () => {
      const path = "/apis/apps/v1/namespaces/NS/deployments/web";
      await workload("web");
      await scale(2);
      await expect.poll(async () => (await get(path)).spec.replicas).toBe(2);
      await press(button("Restart"));
      await annotated(path);
      await press(button("Pause"));
      await expect.poll(async () => (await get(path)).spec.paused).toBe(true);
      await press(button("Resume"));
      await expect.poll(async () => (await get(path)).spec.paused).toBe(undefined);
      await press(button("Go back to it").first());
      await press(dialog.getByRole("button", { name: say("Go back to it") }));
      await expect.poll(async () => (await get(path)).spec.template.metadata.annotations).toBe(undefined);
    });
    await step("a StatefulSet, a DaemonSet, a ReplicaSet, a CronJob", async () => {
      await workload("db");
      await scale(1);
      await expect.poll(async () => (await get("/apis/apps/v1/namespaces/NS/statefulsets/db")).spec.replicas).toBe(1);
      await press(button("Restart"));
      await annotated("/apis/apps/v1/namespaces/NS/statefulsets/db");
      await workload("agent");
      await press(button("Restart"));
      await annotated("/apis/apps/v1/namespaces/NS/daemonsets/agent");
      await find("ReplicaSet");
      await openRow("bare");
      await scale(1);
      await expect.poll(async () => (await get("/apis/apps/v1/namespaces/NS/replicasets/bare")).spec.replicas).toBe(1);
      await workload("nightly");
      await press(button("Suspend"));
      await expect.poll(async () => (await get("/apis/batch/v1/namespaces/NS/cronjobs/nightly")).spec.suspend).toBe(true);
      await press(button("Resume"));
      await expect.poll(async () => (await get("/apis/batch/v1/namespaces/NS/cronjobs/nightly")).spec.suspend).toBe(false);
    });
    await step("YAML: read, applied over a conflict, replaced", async () => {
      const path = "/api/v1/namespaces/NS/configmaps/conf";
      await find("ConfigMap");
      await filter("conf");
      await openRow("conf");
      await press(page.locator(".tabs").getByRole("link", { name: "YAML" }));
      await press(button("Who wrote which field"));
      await expect(page.locator(".cm-content")).toContainText("managedFields");
      await press(button("Who wrote which field"));
      await press(button("Copy"));
      await expect(page.getByText(say("Copied"))).toBeVisible();
      const edit = async (text) => {
        await press(button("Edit"));
        if (hand === "mouse") await page.locator(".cm-content").click();
        else await expect(page.locator(".cm-content")).toBeFocused();
        await page.keyboard.press("Control+Home");
        const line = page.locator(".cm-activeLine");
        for (let left = 20; !(await line.innerText()).includes("colour"); left--) {
          expect(left, "arrows reach the line").toBeGreaterThan(0);
          await page.keyboard.press("ArrowDown");
        }
        await page.keyboard.press("End");
        await page.keyboard.type(text);
      };
      await edit("-one");
      await press(button("Review"));
      await expect(page.getByRole("alert")).toBeVisible();
      await check(page.getByRole("checkbox"));
      await press(button("Review"));
      await expect(page.locator(".cm-deletedChunk")).toContainText("teal");
      await press(button("Apply"));
      await expect.poll(async () => (await get(path)).data.colour).toBe("teal-one");
      await expect(button("Edit")).toBeVisible();
      await edit("-two");
      await check(page.getByRole("radio").nth(1));
      await press(button("Review"));
      await press(button("Replace"));
      await expect.poll(async () => (await get(path)).data.colour).toBe("teal-one-two");
    });
    await step("objects from YAML", async () => {
      await find(say("Apply YAML"));
      const editor = page.locator(".cm-content").first();
      await (hand === "mouse" ? editor.click() : expect(editor).toBeFocused());
      await page.keyboard.insertText(`apiVersion: v1\nkind: ConfigMap\nmetadata: {name: made, namespace: ${ns}}\ndata: {a: b}\n`);
      await press(button("Review"));
      await press(button("Apply"));
      await expect(page.locator(".tried .card")).toContainText(say("applied"));
      expect((await get("/api/v1/namespaces/NS/configmaps/made")).data).toEqual({ a: "b" });
    });
    await step("Events, rights, network", async () => {
      await place("Events");
      await press(button("Warnings only"));
      await openRow("something is odd");
      await expect(title).toContainText("lone-1");
      await place("Rights");
      await press(page.getByRole("link", { name: say("Who may do it") }));
      await choose(page.getByLabel(say("Verb")), "get");
      await write(page.getByLabel(say("Resource"), { exact: true }), "pods/log");
      await expect(page.locator("tbody tr").first()).toContainText("system:");
      await press(page.getByRole("link", { name: say("May they do it") }));
      await write(page.getByLabel(say("User"), { exact: true }), "nobody");
      await press(button("Ask the API"));
      await expect(page.getByRole("status").filter({ hasText: say("No") }).last()).toBeVisible();
      await place("Network");
      await press(page.locator(".groups a", { hasText: "lone" }));
      await expect(page.locator(".picture")).toContainText(say("nobody"));
      await press(page.locator(".by a", { hasText: "closed" }).first());
      await expect(title).toContainText("closed");
    });
    await step("a node: as a tile, closed, opened, emptied", async () => {
      await place("Nodes");
      await press(button("As a map"));
      await press(page.getByRole("link", { name: new RegExp(node + ":") }));
      await expect(title).toContainText(node);
      await press(button("Cordon"));
      await expect.poll(async () => (await get("/api/v1/nodes/" + node)).spec.unschedulable).toBe(true);
      await press(button("Uncordon"));
      await expect.poll(async () => (await get("/api/v1/nodes/" + node)).spec.unschedulable).toBe(undefined);
      await press(button("Drain"));
      await write(dialog.getByRole("textbox"), node);
      await press(dialog.getByRole("button", { name: say("Drain"), exact: true }));
      await expect(dialog).toHaveCount(0);
      await expect(page.getByText(say("{name} is empty but for what belongs to it", { name: node }))).toBeVisible();
      expect((await get("/api/v1/namespaces/NS/pods")).items.filter((p) => p.metadata.name === "lone-1")).toEqual([]);
    });
    await step("deleting", async () => {
      await find("ConfigMap");
      await filter("made");
      await openRow("made");
      await press(button("Delete"));
      await write(dialog.getByRole("textbox"), "made");
      await press(dialog.getByRole("button", { name: say("Delete"), exact: true }));
      await expect(page.getByText(say("It is not there, or no more"))).toBeVisible();
    });
    await api.delete("/api/v1/nodes/" + node);
  });
}
