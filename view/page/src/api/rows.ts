// Readers: what of the API's objects is kept. Of 100,000 Pods little may be: the server makes their columns (its Table form), and
// equal strings are kept once.
import type { Reader, Row } from "./feed";

export interface Owner {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
}

export interface TableRow extends Row {
  namespace: string;
  name: string;
  created: number;
  deleting: boolean;
  labels: Record<string, string>;
  owner?: Owner;
  cells: any[];
}

export interface Column {
  name: string;
  type: string;
  format: string;
  description: string;
  priority: number;
}

const strings = new Map<string, string>();
function once(s: string): string {
  const known = strings.get(s);
  if (known !== undefined) return known;
  if (strings.size > 20_000) strings.clear();
  strings.set(s, s);
  return s;
}

const labelSets = new Map<string, Record<string, string>>();
const none = {};
function onceLabels(l: Record<string, string> | undefined): Record<string, string> {
  if (!l) return none;
  const id = JSON.stringify(l);
  const known = labelSets.get(id);
  if (known) return known;
  if (labelSets.size > 20_000) labelSets.clear();
  labelSets.set(id, l);
  return l;
}

const owners = new Map<string, Owner>();
function onceOwner(o: any): Owner | undefined {
  if (!o) return undefined;
  let known = owners.get(o.uid);
  if (!known) {
    if (owners.size > 20_000) owners.clear();
    owners.set(o.uid, (known = { apiVersion: o.apiVersion, kind: o.kind, name: o.name, uid: o.uid }));
  }
  return known;
}

export const keyOf = (m: any): string => (m.namespace ? m.namespace + "/" : "") + m.name;

/** Reads Tables. The columns are those of the first, until they change. */
export class TableReader implements Reader<TableRow> {
  readonly accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
  columns: Column[] = [];
  onColumns = () => {};

  rows(table: any): TableRow[] {
    if (table.kind !== "Table") table = plainTable(table);
    if (table.columnDefinitions?.length && table.columnDefinitions.length !== this.columns.length) {
      this.columns = table.columnDefinitions;
      this.onColumns();
    }
    return (table.rows ?? []).map((r: any) => this.row(r));
  }

  member(r: any): TableRow {
    return this.row(r.cells ? r : plainRow(r));
  }

  private row(r: any): TableRow {
    const m = r.object.metadata;
    return {
      key: keyOf(m), namespace: once(m.namespace ?? ""), name: m.name, created: Date.parse(m.creationTimestamp), deleting: !!m.deletionTimestamp,
      labels: onceLabels(m.labels), owner: onceOwner(m.ownerReferences?.find((o: any) => o.controller)),
      cells: r.cells.map((c: any, i: number) => (i === 0 && c === m.name ? m.name : typeof c === "string" ? once(c) : c)),
    };
  }
}

/** The table of a server that makes none, as aggregated ones may be: names and ages. */
function plainTable(o: any): any {
  const column = (name: string) => ({ name, type: "string", format: "", description: "", priority: 0 });
  return { columnDefinitions: [column("Name"), column("Age")], rows: (o.items ?? [o]).map(plainRow) };
}
const plainRow = (object: any) => ({ object, cells: [object.metadata.name, ""] });

export interface ObjectRow extends Row {
  object: any;
}

/** Reads whole objects, but for what they say about who wrote which field. */
export const objects: Reader<ObjectRow> = {
  accept: "application/json",
  rows: (o) => (o.items ?? [o]).map((object: any) => objects.member(object, o)),
  member(object, head) {
    // Members of lists do not say what they are.
    if (!object.kind) object = { apiVersion: head.apiVersion, kind: head.kind?.replace(/List$/, ""), ...object };
    delete object.metadata.managedFields;
    return { key: keyOf(object.metadata), object };
  },
};
