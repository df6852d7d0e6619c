import type { Kind } from "../api/kinds";

/** The object that a page or a part of one is of. ns is "" where it has none. */
export interface Shown {
  kind: Kind;
  ns: string;
  name: string;
  object: any;
}
