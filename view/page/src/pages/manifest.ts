// What is needed of a manifest before the server reads it: which object each of its documents is of.

export interface Document {
  text: string;
  apiVersion: string;
  kind: string;
  name: string;
  namespace: string;
}

const plain = (s: string | undefined) => (s ?? "").trim().replace(/\s+#.*$/, "").replace(/^(["'])(.*)\1$/, "$2");

/** The value of a key at an indentation, as people write it; what is written otherwise the server is not asked about. */
function value(block: string, key: string, indent: string): string {
  return plain(block.match(new RegExp(`^${indent}${key}:[ \\t]+(.+)$`, "m"))?.[1]);
}

export function documents(text: string): Document[] {
  return text.split(/^---.*$/m).filter((d) => /^\s*[^\s#]/m.test(d)).map((d) => {
    // {name: web, namespace: shop} in one line, or a block.
    const flow = d.match(/^metadata:[ \t]+\{(.*)\}/m)?.[1];
    const block = d.match(/^metadata:[ \t]*\n((?:[ \t]+.*\n?|\s*\n)*)/m)?.[1] ?? "";
    const indent = block.match(/^([ \t]+)\S/m)?.[1] ?? "  ";
    const of = (key: string) => (flow ? plain(flow.match(new RegExp(`(?:^|,)\\s*${key}:\\s*([^,}]+)`))?.[1]) : value(block, key, indent));
    return { text: d.replace(/^\n/, ""), apiVersion: value(d, "apiVersion", ""), kind: value(d, "kind", ""), name: of("name"), namespace: of("namespace") };
  });
}
