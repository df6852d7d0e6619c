// An object as YAML: read, changed, tried on the server, compared, applied. The text is the API's own: it speaks YAML.
import { useEffect, useState } from "preact/hooks";
import { refusal, wish } from "../api/access";
import { pathOf } from "../api/kinds";
import { ApiError, getText, request } from "../api/transport";
import { t } from "../i18n";
import { Button, Copy, Problem, say } from "../ui/parts";
import { Editor } from "../ui/editor";
import type { Shown } from "./shown";

const yaml = "application/yaml";
const manager = "coracle-view";

/** Without a block of metadata. */
function without(text: string, key: string): string {
  const out: string[] = [];
  let skipping = false;
  for (const line of text.split("\n")) {
    if (line.startsWith(`  ${key}:`)) skipping = true;
    else if (skipping && !/^  ( |- )/.test(line)) skipping = false;
    if (!skipping) out.push(line);
  }
  return out.join("\n");
}

/** What is compared: without what every write changes. */
export const compared = (text: string) => without(without(without(text, "managedFields"), "resourceVersion"), "generation");

type Step = "read" | "edit" | "review";

export default function Yaml({ kind, ns, name, object }: Shown) {
  const path = pathOf(kind, ns, name);
  const [text, setText] = useState<string>();
  const [version, setVersion] = useState("");
  const [managed, setManaged] = useState(false);
  const [step, setStep] = useState<Step>("read");
  const [draft, setDraft] = useState("");
  const [outcome, setOutcome] = useState("");
  const [error, setError] = useState<ApiError>();
  const [replace, setReplace] = useState(false);
  const [force, setForce] = useState(false);
  const [busy, setBusy] = useState(false);
  const load = () => getText(path, { accept: yaml }).then((x) => {
    setText(x);
    setVersion(x.match(/^  resourceVersion: "?(\w+)/m)?.[1] ?? "");
    setError(undefined);
  }, setError);
  useEffect(() => void load(), [path]);
  // While it is only read it is as it is now.
  useEffect(() => {
    if (step === "read" && text !== undefined && object.metadata.resourceVersion !== version) void load();
  }, [object.metadata.resourceVersion, step]);

  useEffect(() => {
    if (step === "review") document.querySelector<HTMLElement>(".toolbar .main")?.focus();
  }, [step]);

  const verb = replace ? "update" : "patch";
  const off = refusal(wish(kind, verb, ns, name));
  const shown = text === undefined ? "" : managed && step === "read" ? text : without(text, "managedFields");

  // Applying says what is wanted, as kubectl apply --server-side does; replacing takes away what was taken away, unless somebody
  // changed the object meanwhile.
  const send = async (dry: boolean) => {
    const q = new URLSearchParams({ fieldManager: manager, ...(dry ? { dryRun: "All" } : {}), ...(!replace && force ? { force: "true" } : {}), fieldValidation: "Strict" });
    const body = replace ? draft : without(draft, "resourceVersion");
    const ask = { method: replace ? "PUT" : "PATCH", body, type: replace ? yaml : "application/apply-patch+yaml" };
    try {
      return await (await request(path + "?" + q, { ...ask, accept: yaml })).text();
    } catch (e) {
      // Who asks for YAML is refused in YAML. What is wrong is asked again in a form that this page reads, without doing anything.
      if ((e as ApiError).status >= 400) {
        q.set("dryRun", "All");
        await request(path + "?" + q, ask);
      }
      throw e;
    }
  };
  const attempt = async (dry: boolean) => {
    setBusy(true);
    setError(undefined);
    try {
      const result = await send(dry);
      if (dry) {
        setOutcome(compared(result));
        setStep("review");
      } else {
        say(t("{name} is changed", { name }));
        setText(result);
        setVersion(result.match(/^  resourceVersion: "?(\w+)/m)?.[1] ?? "");
        setStep("read");
        setForce(false);
      }
    } catch (e) {
      setError(e as ApiError);
      setStep("edit");
    }
    setBusy(false);
  };
  const conflicts = error?.status === 409 && (error.details?.causes ?? []).filter((c: any) => c.reason === "FieldManagerConflict");

  if (text === undefined) return error ? <Problem error={error} retry={load} /> : <div class="waiting" aria-busy="true" />;
  return (
    <>
      <div class="toolbar">
        {step === "read" && <>
          <Button icon="edit" off={off} onClick={() => (setDraft(shown), setStep("edit"))}>{t("Edit")}</Button>
          <Button pressed={managed} onClick={() => setManaged(!managed)}>{t("Who wrote which field")}</Button>
          <Copy text={shown} />
        </>}
        {step === "edit" && <>
          <Button kind="main" off={busy && t("Asking the server")} onClick={() => void attempt(true)}>{t("Review")}</Button>
          <Button onClick={() => (setStep("read"), setError(undefined), setForce(false))}>{t("Cancel")}</Button>
          <label class="check"><input type="radio" name="how" checked={!replace} onChange={() => setReplace(false)} />{t("Apply: what is here is wanted")}</label>
          <label class="check"><input type="radio" name="how" checked={replace} onChange={() => setReplace(true)} />{t("Replace: what is not here goes")}</label>
          {object.metadata.resourceVersion !== version && <span class="bad">{t("Somebody changed it meanwhile")}</span>}
        </>}
        {step === "review" && <>
          <Button kind="main" off={(busy && t("Asking the server")) || off} onClick={() => void attempt(false)}>{replace ? t("Replace") : t("Apply")}</Button>
          <Button onClick={() => setStep("edit")}>{t("Back to editing")}</Button>
          <span class="soft">{outcome === compared(shown) ? t("The server would change nothing.") : t("This is what the server would make of it.")}</span>
        </>}
      </div>
      {error && <Problem error={error} />}
      {conflicts && conflicts.length > 0 && (
        <div class="toolbar">
          <label class="check"><input type="checkbox" checked={force} onChange={(e) => setForce(e.currentTarget.checked)} />{t("Take these fields over from who manages them: {fields}", { fields: conflicts.map((c: any) => c.field).join(", ") })}</label>
        </div>
      )}
      {step === "review" ? <Editor key="review" text={outcome} before={compared(shown)} label={t("Changes to {name}", { name })} />
        : <Editor key={step} text={step === "edit" ? draft : shown} label={t("YAML of {name}", { name })} onChange={step === "edit" ? setDraft : undefined} onSubmit={() => void attempt(true)} />}
    </>
  );
}
