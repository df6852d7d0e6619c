// What can be done with an object of a kind, besides changing its YAML.
import { useState } from "preact/hooks";
import { refusal, wish } from "../api/access";
import { pathOf } from "../api/kinds";
import { patch } from "../api/transport";
import { t } from "../i18n";
import { Button, Dialog, Problem, say } from "../ui/parts";
import { Drain } from "./drain";
import type { Shown } from "./shown";

/** Does something and says how it went. */
export async function attempt(what: Promise<unknown>, done: string) {
  try {
    await what;
    say(done);
  } catch (e) {
    say((e as Error).message, "bad");
  }
}

/** Why one may not, if so. */
export const refused = (p: Shown, verb: string, subresource?: string) => refusal(wish(p.kind, verb, p.ns, p.name, subresource));

export function Actions(p: Shown) {
  const { object, kind, ns, name } = p;
  const path = pathOf(kind, ns, name);
  switch (object.kind) {
    case "Deployment":
    case "StatefulSet":
      return <><Scale {...p} /><Restart {...p} />{object.kind === "Deployment" && <Pause {...p} />}</>;
    case "DaemonSet":
      return <Restart {...p} />;
    case "ReplicaSet":
      return <Scale {...p} />;
    case "CronJob": {
      const on = object.spec.suspend;
      return <Button icon={on ? "play" : "pause"} off={refused(p, "patch")} onClick={() => void attempt(patch(path, { spec: { suspend: !on } }), on ? t("{name} goes on", { name }) : t("{name} is suspended", { name }))}>{on ? t("Resume") : t("Suspend")}</Button>;
    }
    case "Node": {
      const closed = object.spec?.unschedulable;
      return <><Button icon={closed ? "play" : "pause"} off={refused(p, "patch")} onClick={() => void attempt(patch(path, { spec: { unschedulable: closed ? null : true } }), closed ? t("{name} takes new Pods again", { name }) : t("{name} takes no new Pods", { name }))}>{closed ? t("Uncordon") : t("Cordon")}</Button><Drain {...p} /></>;
    }
  }
  return null;
}

const Restart = (p: Shown) => (
  <Button icon="restart" off={refused(p, "patch")} onClick={() => void attempt(
    patch(pathOf(p.kind, p.ns, p.name), { spec: { template: { metadata: { annotations: { "kubectl.kubernetes.io/restartedAt": new Date().toISOString() } } } } }), t("{name} is being restarted, Pod by Pod", { name: p.name }))}>
    {t("Restart")}
  </Button>
);

function Pause(p: Shown) {
  const paused = p.object.spec.paused;
  return <Button icon={paused ? "play" : "pause"} off={refused(p, "patch")} onClick={() => void attempt(patch(pathOf(p.kind, p.ns, p.name), { spec: { paused: paused ? null : true } }), paused ? t("{name} goes on", { name: p.name }) : t("The rollout of {name} is paused", { name: p.name }))}>{paused ? t("Resume") : t("Pause")}</Button>;
}

function Scale(p: Shown) {
  const [open, setOpen] = useState(false);
  const [n, setN] = useState(0);
  const [error, setError] = useState<Error>();
  const now = p.object.spec.replicas ?? 1;
  const submit = async (e: Event) => {
    e.preventDefault();
    try {
      await patch(pathOf(p.kind, p.ns, p.name) + "/scale", { spec: { replicas: n } });
      say(t("{name} is to have {n} Pods", { name: p.name, n }));
      setOpen(false);
    } catch (e) {
      setError(e as Error);
    }
  };
  return (
    <>
      <Button icon="scale" off={refused(p, "patch", "scale")} onClick={() => (setN(now), setError(undefined), setOpen(true))}>{t("Scale")}</Button>
      {open && (
        <Dialog title={t("Scale {name}", { name: p.name })} onClose={() => setOpen(false)}>
          <form onSubmit={submit}>
            <label class="field"><span>{t("Pods, {n} now", { n: now })}</span><input type="number" min="0" max="100000" required autofocus value={n} onInput={(e) => setN(Number(e.currentTarget.value))} /></label>
            {n === 0 && now > 0 && <p class="bad">{t("With 0, all Pods of {name} are deleted.", { name: p.name })}</p>}
            {error && <Problem error={error} />}
            <footer><Button onClick={() => setOpen(false)}>{t("Cancel")}</Button><Button kind={n === 0 ? "danger" : "main"} type="submit">{t("Scale")}</Button></footer>
          </form>
        </Dialog>
      )}
    </>
  );
}
