// Where the page is: #/pods/default/web-1/logs?ns=default. Nothing of it is sent to a server.
import { computed, signal } from "@preact/signals";

export interface Route {
  parts: string[];
  query: URLSearchParams;
}

function read(): Route {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  const parts = path.split("/").filter(Boolean).map((p) => {
    try {
      return decodeURIComponent(p);
    } catch {
      return p;
    }
  });
  return { parts, query: new URLSearchParams(query ?? "") };
}

export const route = signal<Route>(read());
window.addEventListener("hashchange", () => (route.value = read()));

/** The namespace that lists are of; empty is all of them. */
export const namespace = computed(() => route.value.query.get("ns") ?? "");

/** A link within the page. It keeps the namespace unless told another. */
export function href(parts: string[], query: Record<string, string> = {}): string {
  const q = new URLSearchParams(namespace.value && !("ns" in query) ? { ns: namespace.value } : {});
  for (const [k, v] of Object.entries(query)) if (v) q.set(k, v);
  const s = q.toString();
  return "#/" + parts.map(encodeURIComponent).join("/") + (s ? "?" + s : "");
}

/** noNamespace stands for the namespace of what has none. */
export const noNamespace = "~";

export const objectLink = (kindID: string, ns: string, name: string, tab = "") => href([kindID, ns || noNamespace, name, ...(tab ? [tab] : [])]);

export function go(to: string, replace = false) {
  if (replace) history.replaceState(null, "", to);
  else history.pushState(null, "", to);
  route.value = read();
}

/** Changes the query alone: what filters and sorts is worth a link, but no step back. */
export function setQuery(change: Record<string, string>) {
  const { parts, query } = route.value;
  const q: Record<string, string> = Object.fromEntries(query);
  go(href(parts, { ...q, ns: q.ns ?? "", ...change }), true);
}
