// Use over time, from what kubelets count.

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

const kept = 3600_000;

/** Adds a reading. The use of processors is what was counted between two of them: not all kubelets tell a rate, and who tells one
 * may have taken it any time ago. The first reading is therefore none yet, unless there is a rate. */
export function add(m: Meter, stats: any, now: number) {
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
