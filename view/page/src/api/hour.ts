// What a node and its Pods used in the last hour, as the node's kubelet tells. Where that remembers nothing it is asked again and again,
// and the hour begins when somebody looks.
import { add, tell, type Told, type Use } from "./meter";
import { isRefusal, Looked, pause, shelf, wait } from "./looked";
import { lines } from "./stream";
import { ApiError, getJSON } from "./transport";

const every = 10_000;
// A kubelet that is watched measures every ten seconds.
const silence = 45_000;

export class Hour extends Looked {
  readonly use: Use = { at: 0, node: { samples: [] }, pods: new Map() };
  /** Whether the kubelet remembers, if that is known. */
  remembers?: boolean;
  private readonly listeners = new Set<() => void>();

  /** pod is the one that matters, "" for all. */
  constructor(readonly node: string, readonly pod: string) {
    super();
  }

  /** Looks until the returned function is called. f is told that there is something new. */
  look(f: () => void): () => void {
    this.listeners.add(f);
    const leave = this.enter();
    return () => {
      this.listeners.delete(f);
      leave();
    };
  }

  private told() {
    this.state.value = { phase: "live" };
    for (const f of this.listeners) f();
  }

  protected async run(stop: AbortSignal) {
    if (this.state.value.phase !== "lost") this.state.value = { ...this.state.value, phase: "loading" };
    for (let failures = 0; !stop.aborted; ) {
      try {
        if (this.remembers === false) await this.ask(stop, () => (failures = 0));
        else await this.follow(stop, () => (failures = 0));
      } catch (e) {
        if (stop.aborted) return;
        const error = e instanceof ApiError ? e : new ApiError(0, String(e));
        if (error.status === 404 && this.remembers === undefined) {
          this.remembers = false; // it is an older one, or there is no such node: then asking says so
          continue;
        }
        this.remembers = undefined; // another may answer next time
        if (isRefusal(error)) this.state.value = { phase: "refused", error };
        else this.lose(error);
        for (const f of this.listeners) f();
        if (isRefusal(error)) return;
      }
      await pause(failures++, stop);
    }
  }

  private path = (what: string) => `/api/v1/nodes/${encodeURIComponent(this.node)}/proxy/stats/${what}`;

  private async follow(stop: AbortSignal, good: () => void) {
    const query = new URLSearchParams({ watch: "true", ...(this.pod ? { pod: this.pod } : {}) });
    for await (const some of lines(this.path("history?" + query), "application/json", stop, silence, good)) {
      this.remembers = true;
      for (const line of some) tell(this.use, JSON.parse(line) as Told);
      this.told();
    }
  }

  private async ask(stop: AbortSignal, good: () => void) {
    while (!stop.aborted) {
      add(this.use, await getJSON(this.path("summary?only_cpu_and_memory=true"), { signal: stop }), Date.now());
      good();
      this.told();
      // A rate takes two readings, and nobody waits long for the second.
      await wait(this.use.node.samples.length ? every : 2000, stop);
    }
  }
}

const hours = shelf<Hour>(8);

/** The hour of a node and one of its Pods, or all of them, shared. */
export const hour = (node: string, pod = ""): Hour => hours(node + " " + pod, () => new Hour(node, pod));
