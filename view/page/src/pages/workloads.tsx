import { KindList } from "./list";
export const Workloads = () => <KindList id="workloads" />;
