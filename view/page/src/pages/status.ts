// How an object is, in one word, for kinds that have such a word.

export function statusOf(o: any): string {
  if (o.metadata.deletionTimestamp) return "Terminating";
  switch (o.kind) {
    case "Pod":
      return podStatus(o);
    case "Node": {
      const ready = o.status?.conditions?.find((c: any) => c.type === "Ready")?.status;
      return (ready === "True" ? "Ready" : ready === "Unknown" ? "Unknown" : "NotReady") + (o.spec?.unschedulable ? ",SchedulingDisabled" : "");
    }
    case "Deployment":
      return rolledOut(o) ? "Available" : condition(o, "Progressing", "False") ? "Failed" : "Progressing";
    case "StatefulSet":
    case "DaemonSet":
      return rolledOut(o) ? "Available" : "Progressing";
    case "Job":
      return condition(o, "Complete") ? "Complete" : condition(o, "Failed") ? "Failed" : o.spec?.suspend ? "Suspended" : "Running";
    default:
      return typeof o.status?.phase === "string" ? o.status.phase : "";
  }
}

export const condition = (o: any, type: string, status = "True") => o.status?.conditions?.find((c: any) => c.type === type && c.status === status);

/** Replicas that are wanted, new, ready. */
export function replicas(o: any): { want: number; updated: number; ready: number; have: number } {
  const s = o.status ?? {};
  if (o.kind === "DaemonSet") return { want: s.desiredNumberScheduled ?? 0, updated: s.updatedNumberScheduled ?? 0, ready: s.numberReady ?? 0, have: s.currentNumberScheduled ?? 0 };
  return { want: o.spec?.replicas ?? 1, updated: s.updatedReplicas ?? 0, ready: s.readyReplicas ?? 0, have: s.replicas ?? 0 };
}

export function rolledOut(o: any): boolean {
  const r = replicas(o);
  return (o.status?.observedGeneration ?? 0) >= (o.metadata.generation ?? 0) && r.ready >= r.want && r.updated >= r.want && r.have <= r.want;
}

/** A Pod's status as kubectl has it: what keeps it, rather than its phase. */
export function podStatus(o: any): string {
  const s = o.status ?? {};
  let word = s.reason || s.phase || "Unknown";
  if (condition(o, "PodScheduled", "False")?.reason === "SchedulingGated") word = "SchedulingGated";
  const init = s.initContainerStatuses ?? [];
  for (let i = 0; i < init.length; i++) {
    const st = init[i].state ?? {};
    const sidecar = o.spec?.initContainers?.find((c: any) => c.name === init[i].name)?.restartPolicy === "Always";
    if (st.terminated?.exitCode === 0 || (sidecar && init[i].started)) continue;
    if (st.terminated) return "Init:" + (st.terminated.reason || "ExitCode:" + st.terminated.exitCode);
    if (st.waiting?.reason && st.waiting.reason !== "PodInitializing") return "Init:" + st.waiting.reason;
    return `Init:${i}/${o.spec?.initContainers?.length ?? 0}`;
  }
  for (const c of s.containerStatuses ?? []) {
    if (c.state?.waiting?.reason) word = c.state.waiting.reason;
    else if (c.state?.terminated) word = c.state.terminated.reason || "ExitCode:" + c.state.terminated.exitCode;
  }
  if (word === "Completed" && (s.containerStatuses ?? []).some((c: any) => c.state?.running)) word = condition(o, "Ready") ? "Running" : "NotReady";
  return word;
}
