import { KindList } from "./list";
export const Events = () => <KindList id="events" />;
import type { Shown } from "./object";
export const ObjectEvents = (_: Shown) => null;
