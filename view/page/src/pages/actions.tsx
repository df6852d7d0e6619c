import type { Shown } from "./object";
export const Actions = (_: Shown) => null;
