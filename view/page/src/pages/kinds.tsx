import { KindList } from "./list";
export const Kinds = () => <KindList id="kinds" />;
