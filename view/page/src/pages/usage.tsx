import type { Shown } from "./object";
export const Usage = (_: Shown) => null;
