// What stays open: watches, logs, histories. Locally they share one WebSocket; at a server HTTP/2 carries each.
import { openStream } from "./mux";
import { ApiError, local, request, texts } from "./transport";

/** Text as it comes, until the server ends it or signal does. Refusals are ApiErrors. */
export async function* stream(path: string, accept: string, signal: AbortSignal, opened: () => void): AsyncGenerator<string> {
  if (local) {
    yield* openStream(path, accept, signal, opened);
    return;
  }
  const response = await request(path, { accept, signal });
  opened();
  yield* texts(response);
}

/** Lines, as many at a time as come. A stream that says nothing for some milliseconds is lost. */
export async function* lines(path: string, accept: string, stop: AbortSignal, silence: number, opened: () => void): AsyncGenerator<string[]> {
  // One end for both: the stream's own, when it is silent, and that of who asked.
  const end = new AbortController();
  const abort = () => end.abort();
  stop.addEventListener("abort", abort, { once: true });
  let timer = 0, rest = "";
  const alive = () => {
    clearTimeout(timer);
    timer = window.setTimeout(abort, silence);
  };
  const silent = () => end.signal.aborted && !stop.aborted;
  try {
    alive();
    for await (const text of stream(path, accept, end.signal, opened)) {
      if (end.signal.aborted) break; // what was still under way is told again
      alive();
      const parts = (rest + text).split("\n");
      rest = parts.pop()!;
      yield parts.filter(Boolean);
    }
    if (silent()) throw new ApiError(0, "silent");
  } catch (e) {
    throw silent() ? new ApiError(0, "silent") : e;
  } finally {
    clearTimeout(timer);
    stop.removeEventListener("abort", abort);
    end.abort();
  }
}
