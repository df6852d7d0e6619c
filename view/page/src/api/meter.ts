// Use over time, from what kubelets tell.

export interface Sample {
  at: number;
  cpu: number;
  memory: number;
}

/** What was read of something, up to an hour of it. */
export interface Meter {
  samples: Sample[];
  /** The last reading of processor time: seconds used until then. */
  counted?: { at: number; now: number; seconds: number };
}

export interface PodMeter extends Meter {
  ns: string;
  name: string;
}

/** What a node and its Pods used, by their UIDs. */
export interface Use {
  /** When the latest of it was measured. */
  at: number;
  node: Meter;
  pods: Map<string, PodMeter>;
}

/** What a kubelet that remembers tells: for each time a figure, or null. */
export interface Told {
  times: string[];
  node: Figures;
  pods: (Figures & { namespace: string; name: string; uid: string })[];
}

interface Figures {
  usageNanoCores: (number | null)[];
  workingSetBytes: (number | null)[];
}

const kept = 3600_000;

/** Adds what a kubelet remembers. What is known already is not told again. */
export function tell(u: Use, h: Told) {
  const times = h.times.map((x) => Date.parse(x));
  if (!times.length) return;
  u.at = times.at(-1)!;
  append(u.node, times, h.node, u.at);
  for (const p of h.pods) append(known(u, p.uid, p.namespace, p.name), times, p, u.at);
  for (const [uid, p] of u.pods) if (latest(p).at <= u.at - kept) u.pods.delete(uid);
}

function append(m: Meter, times: number[], f: Figures, now: number) {
  const last = latest(m).at;
  const fresh = times.flatMap((at, i) => {
    const cpu = f.usageNanoCores[i], memory = f.workingSetBytes[i];
    return at > last && cpu !== null && memory !== null ? [{ at, cpu: cpu / 1e9, memory }] : [];
  });
  m.samples = [...m.samples, ...fresh].filter((s) => s.at > now - kept);
}

function known(u: Use, uid: string, ns: string, name: string): PodMeter {
  const p = u.pods.get(uid) ?? { ns, name, samples: [] };
  u.pods.set(uid, p);
  return p;
}

/** Adds what a kubelet says of now. Pods that it says nothing of have gone. */
export function add(u: Use, stats: any, now: number) {
  u.at = now;
  read(u.node, stats?.node, now);
  const there = new Set<string>();
  for (const p of stats?.pods ?? []) {
    there.add(p.podRef.uid);
    read(known(u, p.podRef.uid, p.podRef.namespace, p.podRef.name), p, now);
  }
  for (const uid of u.pods.keys()) if (!there.has(uid)) u.pods.delete(uid);
}

/** Adds a reading. The use of processors is what was counted between two of them: not all kubelets tell a rate, and who tells one
 * may have taken it any time ago. The first reading is therefore none yet, unless there is a rate. */
export function read(m: Meter, stats: any, now: number) {
  if (!stats?.cpu) return;
  const at = Date.parse(stats.cpu.time) || now, seconds = (stats.cpu.usageCoreNanoSeconds ?? 0) / 1e9, before = m.counted, rate = stats.cpu.usageNanoCores;
  if (before && at <= before.at) return; // it was read already
  m.counted = { at, now, seconds };
  let cpu: number;
  if (before && seconds >= before.seconds) cpu = (seconds - before.seconds) / (between(before, { at, now }) / 1000);
  else if (rate) cpu = rate / 1e9;
  else return;
  m.samples = [...m.samples.filter((s) => s.at > now - kept), { at: now, cpu, memory: stats.memory?.workingSetBytes ?? 0 }];
}

// Kubelets tell times in whole seconds. Where they mean the moment at which they were asked this page's clock is finer.
function between(a: { at: number; now: number }, b: { at: number; now: number }): number {
  const told = b.at - a.at, here = b.now - a.now;
  return Math.abs(told - here) < 1500 ? here : told;
}

export const latest = (m: Meter): Sample => m.samples.at(-1) ?? { at: 0, cpu: 0, memory: 0 };

const units: Record<string, number> = { n: 1e-9, u: 1e-6, m: 1e-3, "": 1, k: 1e3, M: 1e6, G: 1e9, T: 1e12, Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40, Pi: 2 ** 50 };

/** The number that a quantity of the API is. */
export function quantity(q: string | number | undefined): number {
  const m = String(q ?? "").match(/^([\d.]+(?:e\d+)?)([a-zA-Z]*)$/);
  return m ? Number(m[1]) * (units[m[2]] ?? 1) : 0;
}

/** What metrics.k8s.io says of a node or a Pod, whose containers use together what each does. */
export function measured(metrics: any): Sample {
  const sum = (of: string) => [metrics.usage, ...(metrics.containers ?? []).map((c: any) => c.usage)].reduce((n: number, u: any) => n + quantity(u?.[of]), 0);
  return { at: Date.parse(metrics.timestamp), cpu: sum("cpu"), memory: sum("memory") };
}
