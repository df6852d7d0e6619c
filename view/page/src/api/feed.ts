// A feed is a kind's objects, listed once and watched from there on, for as long as somebody looks. All who look at the same
// share it. Nothing is asked again that was told already: a watch that is lost goes on from its resourceVersion.
import { computed } from "@preact/signals";
import { isRefusal, lookedAt, Looked, pause, shelf } from "./looked";
import { lines } from "./stream";
import { ApiError, getList } from "./transport";

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
/** The feeds that are looked at. */
export const all = computed(() => [...lookedAt.value].filter((x): x is Feed<any> => x instanceof Feed));

export class Feed<R extends Row> extends Looked {
  readonly rows = new Map<string, R>();
  private version = "";
  private readonly listeners = new Set<(d: Delta<R>) => void>();
  private gone = new Set<R>();
  private come = new Set<R>();
  private flushing = false;

  constructor(readonly path: string, readonly query: string, readonly reader: Reader<R>) {
    super();
  }

  /** Looks at the feed until the returned function is called. f is told of changes, once a frame at most; it starts from rows. */
  look(f: (d: Delta<R>) => void): () => void {
    this.settle(); // who comes starts from rows
    this.listeners.add(f);
    const leave = this.enter();
    return () => {
      this.listeners.delete(f);
      leave();
    };
  }

  protected async run(stop: AbortSignal) {
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
        if (isRefusal(error)) {
          this.version = "";
          this.state.value = { phase: "refused", error };
          if (error.status === 403 || error.status === 404) this.replace([]);
          return;
        }
        this.lose(error);
        await pause(failures++, stop);
      }
    }
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
    const path = this.url({ watch: "1", allowWatchBookmarks: "true", resourceVersion: this.version });
    for await (const told of lines(path, this.reader.accept, stop, silence, () => {
      good();
      this.state.value = { phase: "live" };
    })) for (const line of told) this.event(JSON.parse(line));
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

const feeds = shelf<Feed<any>>(24);

/** The feed of a path, shared. */
export const feed = <R extends Row>(path: string, query: string, reader: Reader<R>): Feed<R> => feeds(path + "?" + query + " " + reader.accept, () => new Feed<R>(path, query, reader));
