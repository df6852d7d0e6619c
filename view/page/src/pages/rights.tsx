import { KindList } from "./list";
export const Rights = () => <KindList id="rights" />;
