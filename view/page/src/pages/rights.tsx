// Who may do what: oneself as the API says, others as RBAC is read, and anyone as the API is asked.
import { useEffect, useState } from "preact/hooks";
import { kindOf, kinds, kindNamed, idOf } from "../api/kinds";
import { ApiError, getJSON } from "../api/transport";
import { t } from "../i18n";
import { href, namespace, objectLink, route } from "../route";
import { Head, NamespaceChoice } from "../ui/head";
import { Button, Empty, Problem, Status } from "../ui/parts";
import { objectFeed, useObjects } from "../ui/use";
import { Card } from "./summary";
import { grants, type Grant, type Question } from "./rbac";

const views: [string, string][] = [["", "What I may do"], ["who", "Who may do it"], ["they", "May they do it"]];

export function Rights() {
  const view = route.value.parts[1] ?? "";
  return (
    <div class="page">
      <Head title={t("Rights")}><NamespaceChoice none={view ? t("All namespaces") : "default"} /></Head>
      <div class="tabs" role="navigation" aria-label={t("Rights")}>{views.map(([id, title]) => <a key={id} href={href(["rights", ...(id ? [id] : [])])} aria-current={id === view ? "page" : undefined}>{t(title)}</a>)}</div>
      <div class="tab">{view === "who" ? <Who /> : view === "they" ? <They /> : <Mine />}</div>
    </div>
  );
}

interface Rule {
  verbs: string[];
  apiGroups?: string[];
  resources?: string[];
  resourceNames?: string[];
  nonResourceURLs?: string[];
}

const verbs = ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"];

function Mine() {
  const ns = namespace.value || "default";
  const [status, setStatus] = useState<any>();
  const [error, setError] = useState<Error>();
  const load = () => {
    setStatus(undefined);
    setError(undefined);
    getJSON("/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", { method: "POST", body: JSON.stringify({ apiVersion: "authorization.k8s.io/v1", kind: "SelfSubjectRulesReview", spec: { namespace: ns } }) }).then((r) => setStatus(r.status), setError);
  };
  useEffect(load, [ns]);
  if (error) return <Problem error={error} retry={load} />;
  if (!status) return <div class="waiting" aria-busy="true" />;
  // One line for each resource, whichever rules allow it.
  const lines = new Map<string, { group: string; resource: string; names: string; verbs: Set<string> }>();
  for (const r of (status.resourceRules ?? []) as Rule[]) for (const group of r.apiGroups ?? [""]) for (const resource of r.resources ?? []) {
    const names = (r.resourceNames ?? []).join(", "), id = [resource, group, names].join(" ");
    const line = lines.get(id) ?? { group, resource, names, verbs: new Set() };
    r.verbs.forEach((v) => line.verbs.add(v));
    lines.set(id, line);
  }
  const list = [...lines.values()].sort((a, b) => (a.group + "/" + a.resource < b.group + "/" + b.resource ? -1 : 1));
  return (
    <div class="stack">
      <p class="soft">{t("In namespace {ns}, as the API says of you.", { ns })} {status.incomplete && <span class="bad">{t("This is not all: {why}", { why: status.evaluationError ?? "" })}</span>}</p>
      <div class="table-scroll" tabIndex={0} role="region" aria-label={t("What I may do")}>
        <table class="matrix">
          <thead><tr><th scope="col">{t("Resource")}</th>{verbs.map((v) => <th key={v} scope="col">{v}</th>)}<th scope="col" class="others">{t("others")}</th></tr></thead>
          <tbody>
            {list.map((l) => ({ ...l, others: [...l.verbs].filter((v) => !verbs.includes(v) && v !== "*").join(", ") })).map((l) => (
              <tr key={l.group + l.resource + l.names}>
                <th scope="row">{l.resource === "*" ? t("everything") : l.resource}<small>{l.group === "*" ? t("of all groups") : l.group}{l.names && " · " + l.names}</small>{l.others && <small class="others">{l.others}</small>}</th>
                {verbs.map((v) => <td key={v}>{l.verbs.has(v) || l.verbs.has("*") ? <span class="yes" role="img" aria-label={t("yes")} /> : <span class="no" role="img" aria-label={t("no")} />}</td>)}
                <td class="soft others">{l.others}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {(status.nonResourceRules ?? []).length > 0 && <Card title={t("Besides resources")}><ul class="pairs">{status.nonResourceRules.map((r: Rule, i: number) => <li key={i}><span>{r.verbs.join(", ")}</span><span>{(r.nonResourceURLs ?? []).join(", ")}</span></li>)}</ul></Card>}
    </div>
  );
}

function Ask({ q, set }: { q: Question; set: (q: Question) => void }) {
  const list = [...kinds.value.values()].flatMap((k) => [idOf(k), ...k.subresources.map((s) => k.resource + "/" + s + (k.group ? "." + k.group : ""))]);
  return (
    <>
      <label class="field"><span>{t("Verb")}</span>
        <select value={q.verb} onChange={(e) => set({ ...q, verb: e.currentTarget.value })}>{[...verbs, "impersonate", "bind", "escalate", "approve", "*"].map((v) => <option key={v}>{v}</option>)}</select></label>
      <label class="field"><span>{t("Resource")}</span><input list="resources" value={q.resource + (q.group ? "." + q.group : "")} spellcheck={false} onChange={(e) => {
        const m = e.currentTarget.value.trim().match(/^([^.]*)\.?(.*)$/)!;
        set({ ...q, resource: m[1], group: m[2] });
      }} /></label>
      <datalist id="resources">{list.map((id) => <option key={id} value={id} />)}</datalist>
      <label class="field"><span>{t("Name (any unless given)")}</span><input value={q.name} spellcheck={false} onInput={(e) => set({ ...q, name: e.currentTarget.value.trim() })} /></label>
    </>
  );
}

const first: Question = { verb: "delete", group: "", resource: "pods", name: "", namespace: "" };

function Who() {
  const [q, set] = useState(first);
  const ns = namespace.value;
  const feeds = { clusterRoles: objectFeed(kindOf("clusterroles.rbac.authorization.k8s.io")!, ""), roles: objectFeed(kindOf("roles.rbac.authorization.k8s.io")!, ns), clusterRoleBindings: objectFeed(kindOf("clusterrolebindings.rbac.authorization.k8s.io")!, ""), roleBindings: objectFeed(kindOf("rolebindings.rbac.authorization.k8s.io")!, ns) };
  const rbac = { clusterRoles: useObjects(feeds.clusterRoles), roles: useObjects(feeds.roles), clusterRoleBindings: useObjects(feeds.clusterRoleBindings), roleBindings: useObjects(feeds.roleBindings) };
  const states = Object.values(feeds).map((f) => f.state.value);
  const found = grants(rbac, { ...q, namespace: ns });
  return (
    <div class="stack">
      <div class="toolbar"><Ask q={q} set={set} /></div>
      {states.filter((s) => s.phase === "refused").slice(0, 1).map((s) => <Problem key="refused" error={new ApiError(s.error!.status, t("Not all of RBAC may be read, so that some may be missing here.") + " " + s.error!.message)} />)}
      {found.length ? (
        <div class="table-scroll" tabIndex={0} role="region" aria-label={t("Who may do it")}>
          <table><thead><tr><th scope="col">{t("Who")}</th><th scope="col">{t("Where")}</th><th scope="col">{t("By binding")}</th><th scope="col">{t("With role")}</th></tr></thead>
            <tbody>{found.map((g, i) => <GrantRow key={i} grant={g} />)}</tbody></table>
        </div>
      ) : states.some((s) => s.phase === "loading" || s.phase === "idle") ? <div class="waiting" aria-busy="true" /> : <Empty>{t("Nobody, as RBAC says")}</Empty>}
      <p class="soft">{t("Read from RBAC alone. Members of system:masters may do everything, and other authorizers may allow more.")}</p>
    </div>
  );
}

function GrantRow({ grant: g }: { grant: Grant }) {
  const binding = kindNamed("rbac.authorization.k8s.io/v1", g.binding.kind)!, role = kindNamed("rbac.authorization.k8s.io/v1", g.role.kind)!;
  return (
    <tr>
      <td><span class="soft">{t(g.subject.kind)} </span>{g.subject.kind === "ServiceAccount" ? <a href={objectLink("serviceaccounts", g.subject.namespace, g.subject.name)}>{g.subject.namespace}/{g.subject.name}</a> : g.subject.name}</td>
      <td>{g.namespace || t("everywhere")}</td>
      <td><a href={objectLink(idOf(binding), g.binding.namespace, g.binding.name)}>{g.binding.name}</a></td>
      <td><a href={objectLink(idOf(role), g.role.namespace, g.role.name)}>{g.role.name}</a></td>
    </tr>
  );
}

function They() {
  const [q, set] = useState(first);
  const [who, setWho] = useState("system:serviceaccount:default:default");
  const [groups, setGroups] = useState("");
  const [answer, setAnswer] = useState<any>();
  const [error, setError] = useState<Error>();
  const submit = async (e: Event) => {
    e.preventDefault();
    setError(undefined);
    const [resource, subresource] = q.resource.split("/");
    const sa = who.match(/^system:serviceaccount:([^:]+):/);
    const all = groups.split(",").map((g) => g.trim()).filter(Boolean).concat(sa ? ["system:serviceaccounts", "system:serviceaccounts:" + sa[1]] : [], "system:authenticated");
    try {
      const review = await getJSON("/apis/authorization.k8s.io/v1/subjectaccessreviews", { method: "POST", body: JSON.stringify({ apiVersion: "authorization.k8s.io/v1", kind: "SubjectAccessReview", spec: { user: who, groups: all, resourceAttributes: { verb: q.verb, group: q.group || undefined, resource, subresource, name: q.name || undefined, namespace: namespace.value || undefined } } }) });
      setAnswer(review.status);
    } catch (e) {
      setAnswer(undefined);
      setError(e as Error);
    }
  };
  return (
    <form class="stack" onSubmit={submit}>
      <div class="toolbar">
        <label class="field"><span>{t("User")}</span><input value={who} required spellcheck={false} onInput={(e) => setWho(e.currentTarget.value.trim())} /></label>
        <label class="field"><span>{t("Groups, with commas")}</span><input value={groups} spellcheck={false} onInput={(e) => setGroups(e.currentTarget.value)} /></label>
        <Ask q={q} set={set} />
        <Button kind="main" type="submit">{t("Ask the API")}</Button>
      </div>
      {error && <Problem error={error} />}
      {answer && <Card title={t("The API says")}><p role="status"><Status value={answer.allowed ? t("Yes") : t("No")} tone={answer.allowed ? "good" : "bad"} /> <span class="soft">{answer.reason || answer.evaluationError || (answer.allowed ? "" : t("nothing allows it"))}</span></p></Card>}
    </form>
  );
}
