import type { Shown } from "./object";
export const Logs = (_: Shown) => null;
