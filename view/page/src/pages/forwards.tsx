import { KindList } from "./list";
export const Forwards = () => <KindList id="forwards" />;
import type { Shown } from "./object";
export const Ports = (_: Shown) => null;
