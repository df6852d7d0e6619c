// What a container says, as it says it. Markup in it is text; colours are left out.
import { useEffect, useReducer, useRef, useState } from "preact/hooks";
import { stream } from "../api/stream";
import { ApiError } from "../api/transport";
import { may, refusal, wish } from "../api/access";
import { kindOf, pathOf } from "../api/kinds";
import { t } from "../i18n";
import { objectLink, route, setQuery } from "../route";
import { Button, Empty, Problem } from "../ui/parts";
import { tableFeed, useFeed, useObject } from "../ui/use";
import type { Shown } from "./shown";
import { selectorText } from "./rollout";

const most = 20_000, lineHeight = 20;

interface Line {
  at: string;
  text: string;
}

/** The containers of a Pod, those that are most likely meant first. */
export const containersOf = (pod: any): string[] => [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? []), ...(pod.spec?.ephemeralContainers ?? [])].map((c: any) => c.name);

export const Choice = ({ label, value, values, onChange }: { label: string; value: string; values: string[]; onChange: (v: string) => void }) => (
  <select aria-label={label} value={value} onChange={(e) => onChange(e.currentTarget.value)}>{values.map((v) => <option key={v} value={v}>{v}</option>)}</select>
);

const escapes = /\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*(\x07|\x1b\\)|\r(?=$)/g;

export function Logs({ kind, ns, name, object }: Shown) {
  const names = containersOf(object);
  const query = route.value.query;
  const container = query.get("container") || names[0];
  const previous = query.get("previous") === "1";
  const [wrap, setWrap] = useState(false);
  const [stamps, setStamps] = useState(false);
  const [q, setQ] = useState("");
  const right = may(wish(kind, "get", ns, name, "log"));
  const state = [...(object.status?.containerStatuses ?? []), ...(object.status?.initContainerStatuses ?? []), ...(object.status?.ephemeralContainerStatuses ?? [])].find((s: any) => s.name === container);
  const { lines, said, error, live, retry, dropped } = useLines(right?.allowed === false ? "" : pathOf(kind, ns, name) + "/log?" + new URLSearchParams({ container, timestamps: "true", tailLines: "5000", ...(previous ? { previous: "true" } : { follow: "true" }) }), state?.state?.running?.startedAt ?? "");
  if (right?.allowed === false) return <Problem error={new ApiError(403, refusal(wish(kind, "get", ns, name, "log")) || "")} />;
  const shown = q ? lines.filter((l) => l.text.toLowerCase().includes(q.toLowerCase())) : lines;
  return (
    <>
      <div class="toolbar">
        <Choice label={t("Container")} value={container} values={names} onChange={(c) => setQuery({ container: c })} />
        <Button pressed={previous} onClick={() => setQuery({ previous: previous ? "" : "1" })}>{t("Before the last restart")}</Button>
        <Button pressed={stamps} onClick={() => setStamps(!stamps)}>{t("Times")}</Button>
        <Button pressed={wrap} onClick={() => setWrap(!wrap)}>{t("Wrap")}</Button>
        <input type="search" class="filter" aria-label={t("Filter lines")} placeholder={t("Filter lines")} value={q} onInput={(e) => setQ(e.currentTarget.value)} />
        <span class="soft">{t("{n} lines", { n: shown.length })}{dropped ? " · " + t("older ones are left out") : ""}{!previous && live ? " · " + t("live") : ""}</span>
        <Button icon="copy" label={t("Save")} onClick={() => save(`${name}-${container}.log`, lines)}>{t("Save")}</Button>
      </div>
      {error && state?.state?.waiting && !previous ? <Empty>{t("It has not begun: {why}", { why: state.state.waiting.reason ?? "" })} {state.state.waiting.message}</Empty> : error && <Problem error={error} retry={retry} />}
      {lines.length ? <Lines lines={shown} said={said} wrap={wrap} stamps={stamps} /> : !error && <Empty>{t("It has said nothing yet")}</Empty>}
    </>
  );
}

function save(name: string, lines: Line[]) {
  const a = document.createElement("a");
  a.href = URL.createObjectURL(new Blob([lines.map((l) => l.at + " " + l.text).join("\n") + "\n"], { type: "text/plain" }));
  a.download = name;
  a.click();
  setTimeout(() => URL.revokeObjectURL(a.href), 10_000);
}

/** The lines of a log, followed, anew for each life of the container. A connection that is lost goes on from the last line's time. */
function useLines(path: string, life: string) {
  const [, again] = useReducer((n: number) => n + 1, 0);
  const [attempt, retry] = useReducer((n: number) => n + 1, 0);
  const s = useRef({ lines: [] as Line[], error: undefined as Error | undefined, live: false, dropped: false, said: 0 }).current;
  useEffect(() => {
    Object.assign(s, { lines: [], error: undefined, live: false, dropped: false });
    again(0);
    if (!path) return;
    const stop = new AbortController();
    let drawing = false;
    const draw = () => {
      if (drawing) return;
      drawing = true;
      requestAnimationFrame(() => {
        drawing = false;
        again(0);
      });
    };
    const add = (raw: string) => {
      const at = raw.indexOf(" ");
      const time = raw.slice(0, at);
      const last = s.lines.at(-1);
      if (last && time <= last.at && resumed) return; // told before the connection was lost
      s.said++;
      s.lines.push({ at: time, text: raw.slice(at + 1).replace(escapes, "") });
    };
    let resumed = false;
    const run = async () => {
      for (let failures = 0; !stop.signal.aborted; failures++) {
        try {
          const since = s.lines.at(-1)?.at;
          resumed = !!since;
          let rest = "";
          const url = since ? path.replace(/&tailLines=\d+/, "") + "&sinceTime=" + encodeURIComponent(since) : path;
          for await (const text of stream(url, "*/*", stop.signal, () => {
            Object.assign(s, { live: true, error: undefined });
            failures = 0;
            draw();
          })) {
            const parts = (rest + text).split("\n");
            rest = parts.pop()!;
            for (const p of parts) add(p);
            if (s.lines.length > most) {
              s.lines = s.lines.slice(-most * 0.9);
              s.dropped = true;
            }
            draw();
          }
          if (rest) add(rest);
          Object.assign(s, { live: false });
          draw();
          return; // the container has ended
        } catch (e) {
          if (stop.signal.aborted) return;
          Object.assign(s, { error: e as Error, live: false });
          draw();
          if ((e as ApiError).status !== 0) return;
          await new Promise((r) => setTimeout(r, Math.min(1000 * 2 ** failures, 10_000)));
        }
      }
    };
    void run();
    return () => stop.abort();
  }, [path, attempt, life]);
  return { ...s, retry: () => retry(0) };
}

// said is how many there ever were: the lines are the same array, which would not be drawn again.
function Lines({ lines, wrap, stamps }: { lines: Line[]; said: number; wrap: boolean; stamps: boolean }) {
  const ref = useRef<HTMLDivElement>(null);
  const following = useRef(true);
  const [top, setTop] = useState(0);
  useEffect(() => {
    const el = ref.current!;
    if (following.current) el.scrollTop = el.scrollHeight;
  });
  const height = ref.current?.clientHeight ?? 800;
  // Wrapped lines have no height that could be told beforehand: then the last ones are drawn, all of them.
  const from = wrap ? Math.max(0, lines.length - 1500) : Math.max(0, Math.floor(top / lineHeight) - 20);
  const to = wrap ? lines.length : Math.min(lines.length, from + Math.ceil(height / lineHeight) + 40);
  const drawn = lines.slice(from, to).map((l, i) => (
    <div key={from + i} class="log-line" style={wrap ? undefined : { position: "absolute", top: (from + i) * lineHeight + "px" }}>{stamps && <time>{l.at.slice(0, 23).replace("T", " ")}</time>}{l.text}</div>
  ));
  return (
    <div class={"log" + (wrap ? " wrap" : "")} ref={ref} tabIndex={0} role="log" aria-live="off" aria-label={t("Log")} onScroll={(e) => {
      const el = e.currentTarget;
      following.current = el.scrollTop + el.clientHeight > el.scrollHeight - 30;
      setTop(el.scrollTop);
    }}>
      {wrap ? drawn : <div style={{ height: lines.length * lineHeight + "px", position: "relative" }}>{drawn}</div>}
    </div>
  );
}

/** The logs of a workload's Pods, one at a time. */
export function WorkloadLogs({ object, ns }: Shown) {
  const pods = kindOf("pods")!;
  const f = useFeed(tableFeed(pods, ns, "labelSelector=" + encodeURIComponent(selectorText(object.spec.selector))))!;
  const names = [...f.rows.values()].sort((a, b) => b.created - a.created).map((r) => r.name);
  const asked = route.value.query.get("pod");
  const name = asked && names.includes(asked) ? asked : names[0];
  const pod = useObject(name ? pods : undefined, ns, name ?? "").object;
  if (f.state.value.phase === "refused") return <Problem error={f.state.value.error!} retry={() => f.retry()} />;
  if (!name) return f.state.value.phase === "live" ? <Empty>{t("It has no Pods")}</Empty> : <div class="waiting" aria-busy="true" />;
  return (
    <>
      <div class="toolbar"><Choice label={t("Pod")} value={name} values={names} onChange={(pod) => setQuery({ pod, container: "" })} /><a href={objectLink("pods", ns, name)}>{t("To the Pod")}</a></div>
      {pod && <Logs key={name} kind={pods} ns={ns} name={name} object={pod} />}
    </>
  );
}
