// Objects written by hand, or pasted: tried on the server, compared with what is there, applied.
import { useState } from "preact/hooks";
import { kindNamed, pathOf, type Kind } from "../api/kinds";
import { ApiError, getText, request } from "../api/transport";
import { t } from "../i18n";
import { namespace, objectLink } from "../route";
import { idOf } from "../api/kinds";
import { Head, NamespaceChoice } from "../ui/head";
import { Editor } from "../ui/editor";
import { Button, Problem, Status } from "../ui/parts";
import { documents, type Document } from "./manifest";
import { Card } from "./summary";
import { compared } from "./yaml";

interface Tried {
  document: Document;
  kind?: Kind;
  ns: string;
  before?: string;
  after?: string;
  error?: Error;
  done?: boolean;
}

const yaml = "application/yaml";

async function tryOut(d: Document, dry: boolean): Promise<Tried> {
  const kind = kindNamed(d.apiVersion, d.kind), ns = d.namespace || namespace.value || "default";
  const tried: Tried = { document: d, kind, ns: kind?.namespaced ? ns : "" };
  try {
    if (!d.apiVersion || !d.kind || !d.name) throw new Error(t("It needs apiVersion, kind and metadata.name"));
    if (!kind) throw new Error(t("The server has no kind {id}", { id: d.kind + " " + d.apiVersion }));
    const path = pathOf({ ...kind, version: d.apiVersion.split("/").pop()! }, ns, d.name);
    if (dry) tried.before = await getText(path, { accept: yaml }).then(compared, (e: ApiError) => (e.status === 404 ? "" : Promise.reject(e)));
    const q = new URLSearchParams({ fieldManager: "coracle-view", fieldValidation: "Strict" });
    const ask = { method: "PATCH", body: d.text, type: "application/apply-patch+yaml" };
    const send = (more: Record<string, string>, accept: string) => request(path + "?" + new URLSearchParams([...q, ...Object.entries(more)]), { ...ask, accept });
    // What is refused is told in JSON, which is asked for first: nothing is done by that.
    await send({ dryRun: "All" }, "application/json");
    tried.after = compared(await (await send(dry ? { dryRun: "All" } : {}, yaml)).text());
    tried.done = !dry;
  } catch (e) {
    tried.error = e as Error;
  }
  return tried;
}

export default function Apply() {
  const [text, setText] = useState("");
  const [tried, setTried] = useState<Tried[]>([]);
  const [busy, setBusy] = useState(false);
  const run = async (dry: boolean) => {
    setBusy(true);
    const all: Tried[] = [];
    // One after the other: a namespace comes before what is in it.
    for (const d of documents(text)) {
      all.push(await tryOut(d, dry));
      setTried([...all]);
    }
    setBusy(false);
  };
  const ready = tried.length > 0 && tried.every((x) => !x.error && !x.done);
  return (
    <div class="page">
      <Head title={t("Apply YAML")}><NamespaceChoice none="default" /></Head>
      <div class="toolbar">
        <Button kind={ready ? "plain" : "main"} off={(busy && t("Asking the server")) || (!text.trim() && t("There is nothing to apply"))} onClick={() => void run(true)}>{t("Review")}</Button>
        {ready && <Button kind="main" off={busy && t("Asking the server")} onClick={() => void run(false)}>{t("Apply")}</Button>}
        <span class="soft">{t("Several objects are divided by lines of three dashes.")}</span>
      </div>
      <div class="boxed"><Editor text={text} label={t("YAML to apply")} onChange={(x) => (setText(x), setTried([]))} onSubmit={() => void run(true)} /></div>
      <div class="stack tried">
        {tried.map((x, i) => (
          <Card key={i} title={`${x.document.kind} ${x.ns ? x.ns + "/" : ""}${x.document.name}`} tools={x.error ? <Status value={t("refused")} tone="bad" /> : <Status value={x.done ? t("applied") : x.before ? (x.before === x.after ? t("unchanged") : t("to be changed")) : t("to be made")} tone={x.done ? "done" : "calm"} />}>
            {x.error && <Problem error={x.error} />}
            {x.done && x.kind && <p><a href={objectLink(idOf(x.kind), x.ns, x.document.name)}>{x.document.name}</a></p>}
            {!x.done && x.after !== undefined && x.before !== x.after && <div class="boxed"><Editor key={x.after} text={x.after} before={x.before ?? ""} label={t("Changes to {name}", { name: x.document.name })} /></div>}
          </Card>
        ))}
      </div>
    </div>
  );
}
