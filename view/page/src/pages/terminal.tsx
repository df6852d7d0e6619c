// A shell in a container, by the API's own exec.
import { FitAddon } from "@xterm/addon-fit";
import { Terminal } from "@xterm/xterm";
import { useEffect, useRef, useState } from "preact/hooks";
import { ask, may, refusal, wish } from "../api/access";
import { pathOf } from "../api/kinds";
import { ApiError, webSocket } from "../api/transport";
import { t } from "../i18n";
import { route, setQuery } from "../route";
import { dark } from "../settings";
import { Button, Problem } from "../ui/parts";
import { Choice, containersOf } from "./logs";
import { styleBySheets } from "./terminal-styles";
import type { Shown } from "./shown";

// The bytes that say what a message is: v5.channel.k8s.io
const channel = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4 };
const shell = "command -v bash >/dev/null 2>&1 && exec bash || exec sh";

export default function Shell({ kind, ns, name, object }: Shown) {
  const names = containersOf(object);
  const container = route.value.query.get("container") || names[0];
  const [command, setCommand] = useState("");
  const [running, setRunning] = useState({ n: 1, command: "" });
  const [ended, setEnded] = useState("");
  const place = useRef<HTMLDivElement>(null);
  const right = may(wish(kind, "create", ns, name, "exec"));
  useEffect(() => {
    if (!right?.allowed) return;
    setEnded("");
    const words = running.command ? ["sh", "-c", running.command] : ["sh", "-c", shell];
    const q = new URLSearchParams([["container", container], ["stdin", "true"], ["stdout", "true"], ["tty", "true"], ...words.map((w) => ["command", w])]);
    return open(place.current!, pathOf(kind, ns, name) + "/exec?" + q, setEnded, async () => (await ask(wish(kind, "create", ns, name, "exec"))).allowed);
  }, [right?.allowed, container, running.n]);
  if (!right) return <div class="waiting" aria-busy="true" />;
  if (!right.allowed) return <Problem error={new ApiError(403, refusal(wish(kind, "create", ns, name, "exec")) || "")} />;
  return (
    <>
      <form class="toolbar" onSubmit={(e) => (e.preventDefault(), setRunning({ n: running.n + 1, command }))}>
        <Choice label={t("Container")} value={container} values={names} onChange={(c) => setQuery({ container: c })} />
        <input class="filter" aria-label={t("Command")} placeholder={t("A shell, or this command")} value={command} spellcheck={false} autocomplete="off" onInput={(e) => setCommand(e.currentTarget.value)} />
        <Button type="submit" icon={ended ? "restart" : "play"}>{t("Run")}</Button>
        <span class={ended ? "bad" : "soft"} role="status">{ended || t("Ctrl Shift ← leaves the terminal")}</span>
      </form>
      <div class="terminal" ref={place} />
    </>
  );
}

function colours() {
  const css = getComputedStyle(document.documentElement);
  // Variables may hold light-dark(), which only a property resolves.
  const probe = document.body.appendChild(document.createElement("i"));
  const of = (name: string) => ((probe.style.color = `var(${name})`), getComputedStyle(probe).color.replace(/^rgb\((\d+), (\d+), (\d+)\)$/, (_, r, g, b) => "#" + [r, g, b].map((n: string) => Number(n).toString(16).padStart(2, "0")).join("")));
  const theme = { background: of("--panel"), foreground: of("--text"), cursor: of("--accent"), cursorAccent: of("--panel"), selectionBackground: of("--chosen"), ...(dark.value ? {} : { yellow: "#7a5b00", brightYellow: "#7a5b00", white: "#5a6264", brightWhite: "#1b2021", green: "#1b7a48", brightGreen: "#1b7a48", cyan: "#0b6a67", brightCyan: "#0b6a67" }) };
  probe.remove();
  return { theme, fontFamily: css.getPropertyValue("--mono") };
}

function open(place: HTMLElement, path: string, end: (why: string) => void, allowed: () => Promise<boolean>): () => void {
  styleBySheets();
  const { theme, fontFamily } = colours();
  const terminal = new Terminal({ theme, fontFamily, fontSize: 13, cursorBlink: !matchMedia("(prefers-reduced-motion: reduce)").matches, screenReaderMode: true, scrollback: 5000 });
  const fit = new FitAddon();
  terminal.loadAddon(fit);
  terminal.open(place);
  fit.fit();
  terminal.focus();
  terminal.attachCustomKeyEventHandler((e) => {
    if (!(e.ctrlKey && e.shiftKey && e.key === "ArrowLeft")) return true;
    if (e.type === "keydown") document.querySelector<HTMLElement>(".tabs a[aria-current]")?.focus();
    return false;
  });
  const socket = webSocket(path, "v5.channel.k8s.io");
  socket.binaryType = "arraybuffer";
  const send = (to: number, content: string) => {
    if (socket.readyState !== WebSocket.OPEN) return;
    const bytes = new TextEncoder().encode(content);
    const message = new Uint8Array(bytes.length + 1);
    message[0] = to;
    message.set(bytes, 1);
    socket.send(message);
  };
  const resize = () => send(channel.resize, JSON.stringify({ Width: terminal.cols, Height: terminal.rows }));
  let why = "", opened = false;
  socket.onopen = () => {
    opened = true;
    resize();
  };
  socket.onmessage = (m) => {
    const bytes = new Uint8Array(m.data as ArrayBuffer);
    if (bytes[0] === channel.stdout || bytes[0] === channel.stderr) terminal.write(bytes.subarray(1));
    else if (bytes[0] === channel.error) {
      const status = JSON.parse(new TextDecoder().decode(bytes.subarray(1)) || "{}");
      why = status.status === "Success" ? t("It has ended") : status.message ?? "";
    }
  };
  let left = false;
  socket.onclose = async () => {
    if (left) return;
    // A browser does not say why a WebSocket was refused.
    if (!opened && !(await allowed().catch(() => true))) why = t("You may not run commands in it");
    end(why || (opened ? t("The connection has ended") : t("The container could not be reached")));
  };
  terminal.onData((d) => send(channel.stdin, d));
  terminal.onResize(resize);
  const observer = new ResizeObserver(() => fit.fit());
  observer.observe(place);
  return () => {
    left = true;
    observer.disconnect();
    socket.close();
    terminal.dispose();
  };
}
