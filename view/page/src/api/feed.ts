// A feed is a kind's objects, listed once and watched from there on, for as long as somebody looks. All who look at the same
// share it. Nothing is asked again that was told already: a watch that is lost goes on from its resourceVersion.
import { signal } from "@preact/signals";
import { ApiError, getList, stream } from "./transport";

export type Phase = "idle" | "loading" | "live" | "lost" | "refused";

export interface State {
  phase: Phase;
  /** When what is shown was last known to be true, unless it is live. */
  since?: number;
  error?: ApiError;
}

/** What changed since the last time: a changed row has gone as it was and come as it is. */
export interface Delta<R> {
  gone: Set<R>;
  come: R[];
}

export interface Row {
  key: string;
}

/** How a feed reads what the API sends. */
export interface Reader<R extends Row> {
  accept: string;
  /** Rows of a list or of a watch event's object. */
  rows(object: any): R[];
  /** A member of a list, the head of which was read by rows. */
  member(object: any, head: any): R;
}

const pageSize = 500;
// The server sends bookmarks about every minute. A watch that is silent for longer is no watch.
const silence = 110_000;
// Who looks away for a moment does not look away.
const grace = 3000;

export const all = signal<ReadonlySet<Feed<any>>>(new Set());

export class Feed<R extends Row> {
  readonly rows = new Map<string, R>();
  readonly state = signal<State>({ phase: "idle" });
  /** How many are known, of how many, while they are listed. */
  readonly progress = signal<{ have: number; of: number } | undefined>(undefined);
  private version = "";
  private lookers = 0;
  private stopping?: AbortController;
  private timer = 0;
  private readonly listeners = new Set<(d: Delta<R>) => void>();
  private gone = new Set<R>();
  private come = new Set<R>();
  private flushing = false;

  constructor(readonly path: string, readonly query: string, readonly reader: Reader<R>) {}

  /** Looks at the feed until the returned function is called. f is told of changes, once a frame at most; it starts from rows. */
  look(f: (d: Delta<R>) => void): () => void {
    this.settle(); // who comes starts from rows
    this.listeners.add(f);
    this.lookers++;
    clearTimeout(this.timer);
    all.value = new Set([...all.value, this]);
    if (!document.hidden) this.start();
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.listeners.delete(f);
      if (--this.lookers > 0) return;
      all.value = new Set([...all.value].filter((x) => x !== this));
      this.timer = window.setTimeout(() => this.stop(), grace);
    };
  }

  get looked() {
    return this.lookers > 0;
  }

  start() {
    if (this.stopping) return;
    this.stopping = new AbortController();
    void this.run(this.stopping.signal);
  }

  stop() {
    if (!this.stopping) return;
    this.stopping.abort();
    this.stopping = undefined;
    const s = this.state.value;
    if (s.phase === "live") this.state.value = { phase: "idle", since: Date.now() };
    else if (s.phase !== "refused") this.state.value = { phase: "idle", since: s.since };
  }

  /** Tries again at once, where it was refused or waits. */
  retry() {
    this.stop();
    this.start();
  }

  private async run(stop: AbortSignal) {
    for (let failures = 0, expired = false; !stop.aborted; ) {
      try {
        if (!this.version) await this.list(stop);
        await this.watch(stop, () => {
          failures = 0;
          expired = false;
        });
      } catch (e) {
        if (stop.aborted) return;
        const error = e instanceof ApiError ? e : new ApiError(0, String(e));
        if (error.status === 410) {
          this.version = ""; // it is told all anew; what is shown stays until then
          if (!expired) {
            expired = true;
            continue;
          }
        }
        if (error.status >= 400 && error.status < 500 && ![410, 429].includes(error.status)) {
          this.version = "";
          this.state.value = { phase: "refused", error };
          if (error.status === 403 || error.status === 404) this.replace([]);
          return;
        }
        this.lose(error);
        const pause = Math.min(500 * 2 ** failures++, 10_000) * (0.75 + Math.random() / 2);
        await new Promise<void>((r) => {
          const timer = setTimeout(r, pause);
          stop.addEventListener("abort", () => (clearTimeout(timer), r()), { once: true });
        });
      }
    }
  }

  private lose(error: ApiError) {
    const { phase, since } = this.state.value;
    this.state.value = { phase: "lost", since: phase === "live" ? Date.now() : since, error };
  }

  private async list(stop: AbortSignal) {
    if (this.state.value.phase !== "lost") this.state.value = { ...this.state.value, phase: "loading" };
    const fresh: R[] = [];
    const first = this.rows.size === 0;
    for (let next = "", have = 0; ; ) {
      let head: any;
      const page = await getList(this.url({ limit: String(pageSize), continue: next }), { accept: this.reader.accept, signal: stop }, (known) => void this.reader.rows((head = known)), (object) => {
        const row = this.reader.member(object, head);
        have++;
        if (first) this.put(row); // shown as it comes
        else fresh.push(row);
      });
      next = page.metadata?.continue ?? "";
      if (!next) {
        this.version = page.metadata?.resourceVersion ?? "";
        break;
      }
      this.progress.value = { have, of: have + (page.metadata.remainingItemCount ?? 0) };
      await new Promise((r) => setTimeout(r)); // others' turn
    }
    this.progress.value = undefined;
    if (!first) this.replace(fresh);
    this.flushSoon();
  }

  private url(more: Record<string, string>): string {
    const q = new URLSearchParams(this.query);
    for (const [k, v] of Object.entries(more)) if (v) q.set(k, v);
    const s = q.toString();
    return this.path + (s ? "?" + s : "");
  }

  private async watch(stop: AbortSignal, good: () => void) {
    // One end for both: the watch's own, when it is silent, and that of who asked.
    const end = new AbortController();
    const abort = () => end.abort();
    stop.addEventListener("abort", abort, { once: true });
    let timer = 0;
    const alive = () => {
      clearTimeout(timer);
      timer = window.setTimeout(abort, silence);
    };
    try {
      alive();
      let rest = "";
      const path = this.url({ watch: "1", allowWatchBookmarks: "true", resourceVersion: this.version });
      for await (const text of stream(path, this.reader.accept, end.signal, () => {
        good();
        this.state.value = { phase: "live" };
      })) {
        if (end.signal.aborted) break; // what was still under way is told again
        alive();
        const lines = (rest + text).split("\n");
        rest = lines.pop()!;
        for (const line of lines) if (line) this.event(JSON.parse(line));
      }
      if (end.signal.aborted && !stop.aborted) throw new ApiError(0, "silent");
    } catch (e) {
      if (end.signal.aborted && !stop.aborted) throw new ApiError(0, "silent");
      throw e;
    } finally {
      clearTimeout(timer);
      stop.removeEventListener("abort", abort);
      end.abort();
    }
  }

  private event(e: { type: string; object: any }) {
    if (e.type === "ERROR") throw new ApiError(e.object.code ?? 0, e.object.message ?? "", e.object.reason);
    const version = e.object.metadata?.resourceVersion;
    if (e.type !== "BOOKMARK") for (const row of this.reader.rows(e.object)) e.type === "DELETED" ? this.drop(row.key) : this.put(row);
    if (version) this.version = version;
  }

  private put(row: R) {
    this.drop(row.key);
    this.rows.set(row.key, row);
    this.come.add(row);
    this.flushSoon();
  }

  private drop(key: string) {
    const old = this.rows.get(key);
    if (!old) return;
    this.rows.delete(key);
    if (!this.come.delete(old)) this.gone.add(old); // who came and went since was never there
    this.flushSoon();
  }

  private replace(rows: R[]) {
    const keys = new Set(rows.map((r) => r.key));
    for (const key of [...this.rows.keys()]) if (!keys.has(key)) this.drop(key);
    for (const r of rows) this.put(r);
    this.flushSoon();
  }

  /** Tells at once what is to be told. Who reads rows and is told of changes too calls it before: no change is told twice. */
  settle() {
    if (this.gone.size || this.come.size) this.flush();
  }

  private flush() {
    const delta = { gone: this.gone, come: [...this.come] };
    this.gone = new Set();
    this.come = new Set();
    for (const f of this.listeners) f(delta);
  }

  private flushSoon() {
    if (this.flushing) return;
    this.flushing = true;
    const flush = () => {
      this.flushing = false;
      this.flush();
    };
    // Frames are for few rows; what takes longer to sort in changes less often.
    if (this.rows.size > 2000) setTimeout(() => requestAnimationFrame(flush), this.progress.value ? 600 : 120);
    else requestAnimationFrame(flush);
  }
}

const feeds = new Map<string, Feed<any>>();

/** The feed of a path, shared. Those that nobody has looked at for longest are forgotten. */
export function feed<R extends Row>(path: string, query: string, reader: Reader<R>): Feed<R> {
  const id = path + "?" + query + " " + reader.accept;
  let f = feeds.get(id);
  if (f) feeds.delete(id);
  else f = new Feed<R>(path, query, reader);
  feeds.set(id, f);
  if (feeds.size > 24) for (const [old, o] of feeds) if (!o.looked && old !== id) {
    o.stop();
    feeds.delete(old);
    break;
  }
  return f;
}

// A page that nobody sees watches nothing.
document.addEventListener("visibilitychange", () => {
  for (const f of feeds.values()) {
    if (document.hidden) f.stop();
    else if (f.looked && f.state.value.phase !== "refused") f.start();
  }
});

// A machine that wakes up, or has a network again, does not wait.
window.addEventListener("online", () => {
  for (const f of feeds.values()) if (f.looked && f.state.value.phase === "lost") f.retry();
});

/** All feeds anew: who signs in is somebody else. */
export function forgetFeeds() {
  for (const f of feeds.values()) f.stop();
  feeds.clear();
  all.value = new Set();
}
