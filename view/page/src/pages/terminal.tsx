import type { Shown } from "./object";
export default (_: Shown) => null;
