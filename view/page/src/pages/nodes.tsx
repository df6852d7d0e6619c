import { KindList } from "./list";
export const Nodes = () => <KindList id="nodes" />;
import type { Shown } from "./object";
export const NodePods = (_: Shown) => null;
