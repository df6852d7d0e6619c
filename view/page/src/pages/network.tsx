import { KindList } from "./list";
export const Network = () => <KindList id="network" />;
