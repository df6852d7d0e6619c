import type { Shown } from "./object";
export const Rollout = (_: Shown) => null;
