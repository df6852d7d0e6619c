// What is asked for as long as somebody looks at it, and no longer. All who look at the same share it.
import { signal } from "@preact/signals";
import type { ApiError } from "./transport";

export type Phase = "idle" | "loading" | "live" | "lost" | "refused";

export interface State {
  phase: Phase;
  /** When what is shown was last known to be true, unless it is live. */
  since?: number;
  error?: ApiError;
}

// Who looks away for a moment does not look away.
const grace = 3000;

export const lookedAt = signal<ReadonlySet<Looked>>(new Set());
const running = new Set<Looked>();

export abstract class Looked {
  readonly state = signal<State>({ phase: "idle" });
  /** How many are known, of how many, while they are listed. */
  readonly progress = signal<{ have: number; of: number } | undefined>(undefined);
  private lookers = 0;
  private stopping?: AbortController;
  private timer = 0;

  /** Asks until stop, or until it is refused. */
  protected abstract run(stop: AbortSignal): Promise<void>;

  get looked() {
    return this.lookers > 0;
  }

  /** Counts somebody who looks until the returned function is called. */
  protected enter(): () => void {
    this.lookers++;
    clearTimeout(this.timer);
    lookedAt.value = new Set([...lookedAt.value, this]);
    if (!document.hidden) this.start();
    let left = false;
    return () => {
      if (left) return;
      left = true;
      if (--this.lookers > 0) return;
      lookedAt.value = new Set([...lookedAt.value].filter((x) => x !== this));
      this.timer = window.setTimeout(() => this.stop(), grace);
    };
  }

  start() {
    if (this.stopping) return;
    this.stopping = new AbortController();
    running.add(this);
    void this.run(this.stopping.signal);
  }

  stop() {
    if (!this.stopping) return;
    this.stopping.abort();
    this.stopping = undefined;
    running.delete(this);
    const s = this.state.value;
    if (s.phase === "live") this.state.value = { phase: "idle", since: Date.now() };
    else if (s.phase !== "refused") this.state.value = { phase: "idle", since: s.since };
  }

  /** Tries again at once, where it was refused or waits. */
  retry() {
    this.stop();
    this.start();
  }

  protected lose(error: ApiError) {
    const { phase, since } = this.state.value;
    this.state.value = { phase: "lost", since: phase === "live" ? Date.now() : since, error };
  }
}

/** Waits, unless it is stopped. */
export const wait = (milliseconds: number, stop: AbortSignal) => new Promise<void>((done) => {
  const timer = setTimeout(done, milliseconds);
  stop.addEventListener("abort", () => (clearTimeout(timer), done()), { once: true });
});

/** Waits before the next attempt, longer after each that failed. */
export const pause = (failures: number, stop: AbortSignal) => wait(Math.min(500 * 2 ** failures, 10_000) * (0.75 + Math.random() / 2), stop);

/** Whether asking again would change nothing. */
export const isRefusal = (e: ApiError) => e.status >= 400 && e.status < 500 && ![410, 429].includes(e.status);

// A page that nobody sees asks nothing.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) for (const x of [...running]) x.stop();
  else for (const x of lookedAt.value) if (x.state.value.phase !== "refused") x.start();
});

// A machine that wakes up, or has a network again, does not wait.
window.addEventListener("online", () => {
  for (const x of lookedAt.value) if (x.state.value.phase === "lost") x.retry();
});

const shelves: Map<string, Looked>[] = [];

/** Keeps what was made, to be shared. Those that nobody has looked at for longest are forgotten. */
export function shelf<T extends Looked>(most: number): (id: string, make: () => T) => T {
  const kept = new Map<string, T>();
  shelves.push(kept);
  return (id, make) => {
    const it = kept.get(id) ?? make();
    kept.delete(id);
    kept.set(id, it);
    if (kept.size > most) for (const [old, x] of kept) if (!x.looked && old !== id) {
      x.stop();
      kept.delete(old);
      break;
    }
    return it;
  };
}

/** All anew: who signs in is somebody else. */
export function forgetAll() {
  for (const x of [...running]) x.stop();
  for (const kept of shelves) kept.clear();
  lookedAt.value = new Set();
}
