import { KindList } from "./list";
export const Overview = () => <KindList id="overview" />;
