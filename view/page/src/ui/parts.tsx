// Small parts that pages are made of.
import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { ApiError } from "../api/transport";
import { t } from "../i18n";
import { age, moment } from "../time";
import { Icon } from "./icons";

export type Tone = "good" | "busy" | "bad" | "calm" | "done";

// The API's words for how something is, and how that feels.
const tones: Record<string, Tone> = {
  Running: "good", Ready: "good", Active: "good", Bound: "good", Complete: "done", Completed: "done", Succeeded: "done", Available: "good", True: "good", Approved: "good",
  Pending: "busy", ContainerCreating: "busy", PodInitializing: "busy", Terminating: "busy", Suspended: "calm", SchedulingGated: "busy", Progressing: "busy", Released: "busy",
  Failed: "bad", Error: "bad", Evicted: "bad", Lost: "bad", NotReady: "bad", CrashLoopBackOff: "bad", ImagePullBackOff: "bad", ErrImagePull: "bad", OOMKilled: "bad", Unknown: "bad", Warning: "bad", NodeLost: "bad",
  Normal: "calm",
};

export function toneOf(status: string): Tone {
  if (tones[status]) return tones[status];
  if (status.startsWith("NotReady")) return "bad";
  if (status.includes("SchedulingDisabled")) return "busy";
  if (status.startsWith("Init:")) return /Error|BackOff/.test(status) ? "bad" : "busy";
  if (/Err|BackOff|Fail|Invalid|Unknown|Unhealthy/.test(status)) return "bad";
  return "calm";
}

/** A status: colour and shape tell it, and the word itself. */
export const Status = ({ value, tone = toneOf(value) }: { value: string; tone?: Tone }) => (
  <span class={"status " + tone}>
    <Mark tone={tone} />
    {t(value)}
  </span>
);

const marks: Record<Tone, string> = {
  good: "M5 1a4 4 0 1 0 0 8 4 4 0 0 0 0-8z", done: "M1.500 5.200 4 7.700 8.500 2.500", busy: "M5 1.800a3.200 3.200 0 1 0 0 6.400 3.200 3.200 0 0 0 0-6.400z",
  bad: "M5 .8 9.400 8.600H.6z", calm: "M2 5h6",
};
export const Mark = ({ tone }: { tone: Tone }) => (
  <svg class={"mark " + tone} width="10" height="10" viewBox="0 0 10 10" aria-hidden="true"><path d={marks[tone]} /></svg>
);

export const Age = ({ at }: { at: number }) => (at ? <time dateTime={new Date(at).toISOString()} title={moment(at)}>{age(at)}</time> : <span class="soft">—</span>);

export function Button(p: {
  children?: ComponentChildren; icon?: string; onClick?: () => void; kind?: "plain" | "main" | "danger"; off?: string | false; label?: string; type?: "submit" | "button"; pressed?: boolean; small?: boolean;
}) {
  // What may not be done says why, which a disabled button could not: it has no focus.
  return (
    <button type={p.type ?? "button"} class={`button ${p.kind ?? "plain"} ${p.children ? "" : "bare"} ${p.small ? "small" : ""}`} aria-disabled={p.off ? true : undefined} title={p.off || p.label} aria-label={p.label}
      aria-pressed={p.pressed} aria-description={p.off || undefined} onClick={(e) => {
        if (p.off) {
          e.preventDefault();
          say(p.off, "bad");
        } else p.onClick?.();
      }}>
      {p.icon && <Icon name={p.icon} />}
      {p.children}
    </button>
  );
}

export function Problem({ error, retry }: { error: ApiError | Error; retry?: () => void }) {
  const status = (error as ApiError).status;
  return (
    <div class="problem" role="alert">
      <strong>{status === 403 ? t("You may not see this") : status === 404 ? t("It is not there") : status === 0 ? t("No answer from the server") : t("The API says no")}</strong>
      <p>{error.message}</p>
      {retry && <Button icon="restart" onClick={retry}>{t("Try again")}</Button>}
    </div>
  );
}

export const Empty = ({ children }: { children: ComponentChildren }) => <p class="empty">{children}</p>;

export function Copy({ text }: { text: string }) {
  return <Button small icon="copy" label={t("Copy")} onClick={() => void navigator.clipboard.writeText(text).then(() => say(t("Copied")), (e) => say(String(e), "bad"))} />;
}

/** A command to type elsewhere. */
export const Command = ({ text }: { text: string }) => (
  <div class="command"><code tabIndex={0}>{text}</code><Copy text={text} /></div>
);

// What was done, or failed, said once for all to see and to hear.
interface Saying {
  id: number;
  text: string;
  tone: Tone;
}
const sayings = signal<Saying[]>([]);
let lastSaying = 0;
export function say(text: string, tone: Tone = "good") {
  const id = ++lastSaying;
  sayings.value = [...sayings.value.slice(-3), { id, text, tone }];
  setTimeout(() => (sayings.value = sayings.value.filter((s) => s.id !== id)), tone === "bad" ? 12_000 : 4_000);
}
export const Sayings = () => (
  <div class="sayings" role="status" aria-live="polite">
    {sayings.value.map((s) => (
      <div key={s.id} class={"saying " + s.tone}>
        <Mark tone={s.tone} /><span>{s.text}</span>
        <Button small icon="close" label={t("Close")} onClick={() => (sayings.value = sayings.value.filter((x) => x.id !== s.id))} />
      </div>
    ))}
  </div>
);

/** A dialog over the page. The browser keeps the focus in it, and Escape leaves it. */
export function Dialog({ title, children, onClose, wide, bare }: { title: string; children: ComponentChildren; onClose: () => void; wide?: boolean; bare?: boolean }) {
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    ref.current!.showModal();
  }, []);
  return (
    <dialog ref={ref} class={(wide ? "wide " : "") + (bare ? "bare" : "")} aria-label={title} onClose={onClose} onClick={(e) => e.target === ref.current && ref.current!.close()}>
      <div class="sheet">
        {!bare && <header><h2>{title}</h2><Button icon="close" label={t("Close")} onClick={() => ref.current!.close()} /></header>}
        {children}
      </div>
    </dialog>
  );
}

/** Asks before something is destroyed: its name is to be typed. */
export function Destroy({ title, name, children, verb, act, onClose }: {
  title: string; name: string; children?: ComponentChildren; verb: string; act: () => Promise<unknown>; onClose: () => void;
}) {
  const [typed, setTyped] = useState("");
  const [error, setError] = useState<Error>();
  const [busy, setBusy] = useState(false);
  const submit = async (e: Event) => {
    e.preventDefault();
    if (typed !== name || busy) return;
    setBusy(true);
    try {
      await act();
      onClose();
    } catch (e) {
      setError(e as Error);
      setBusy(false);
    }
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <form onSubmit={submit}>
        {children}
        <label class="field">
          <span>{t("Type {name} to go on", { name })}</span>
          <input autofocus value={typed} autocomplete="off" spellcheck={false} onInput={(e) => setTyped(e.currentTarget.value)} />
        </label>
        {error && <Problem error={error} />}
        <footer>
          <Button onClick={onClose}>{t("Cancel")}</Button>
          <Button kind="danger" type="submit" off={typed !== name && t("Type {name} to go on", { name })}>{verb}</Button>
        </footer>
      </form>
    </Dialog>
  );
}
