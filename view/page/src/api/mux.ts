// All streams of a page over one WebSocket: a browser has six connections to a host without TLS. view/streams.go is the other side.
import { ApiError, failure, webSocket } from "./transport";

interface Stream {
  push(text: string): void;
  open(): void;
  end(error?: Error): void;
  decoder: TextDecoder;
}

let socket: WebSocket | undefined;
let last = 0;
const streams = new Map<number, Stream>();

function connect(): WebSocket {
  if (socket && socket.readyState <= WebSocket.OPEN) return socket;
  const s = webSocket("/ui/streams", "v1.view.coracle");
  s.binaryType = "arraybuffer";
  s.onmessage = (m) => receive(m.data);
  s.onclose = () => {
    if (socket === s) socket = undefined;
    for (const stream of [...streams.values()]) stream.end(new ApiError(0, "no answer"));
  };
  return (socket = s);
}

const head = 0, data = 1;

function receive(message: ArrayBuffer) {
  const v = new DataView(message);
  const stream = streams.get(v.getUint32(0));
  if (!stream) return;
  const content = new Uint8Array(message, 5);
  switch (v.getUint8(4)) {
    case head: {
      const text = new TextDecoder().decode(content);
      if (text.startsWith("200")) stream.open();
      else stream.end(text.startsWith("502") ? new ApiError(0, text.slice(3)) : failure(Number(text.slice(0, 3)), text.slice(3)));
      break;
    }
    case data:
      stream.push(stream.decoder.decode(content, { stream: true }));
      break;
    default:
      stream.end(content.length ? new ApiError(0, new TextDecoder().decode(content)) : undefined);
  }
}

function send(what: object) {
  const s = connect();
  const text = JSON.stringify(what);
  if (s.readyState === WebSocket.OPEN) s.send(text);
  else s.addEventListener("open", () => s.send(text), { once: true });
}

export async function* openStream(path: string, accept: string, signal: AbortSignal, opened: () => void): AsyncGenerator<string> {
  const id = ++last;
  const queue: string[] = [];
  let ended = false, error: Error | undefined, wake = () => {};
  const finish = (e?: Error) => {
    ended = true;
    error ??= e;
    streams.delete(id);
    wake();
  };
  streams.set(id, {
    decoder: new TextDecoder(), open: opened, end: finish,
    push(text) {
      queue.push(text);
      wake();
    },
  });
  const abort = () => {
    if (!ended && socket?.readyState === WebSocket.OPEN) send({ ID: id });
    finish();
  };
  signal.addEventListener("abort", abort, { once: true });
  try {
    send({ ID: id, Path: path, Accept: accept });
    for (;;) {
      while (queue.length) yield queue.length === 1 ? queue.pop()! : queue.splice(0).join("");
      if (ended) break;
      await new Promise<void>((r) => (wake = r));
    }
    if (error && !signal.aborted) throw error;
  } finally {
    signal.removeEventListener("abort", abort);
    abort();
    // Nothing is kept open for nobody.
    if (streams.size === 0) setTimeout(() => streams.size === 0 && socket?.close(), 2000);
  }
}
