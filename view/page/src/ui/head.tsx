// The heads of pages: titles, what is live, and what a page is of.
import type { ComponentChildren } from "preact";
import { kindOf } from "../api/kinds";
import { lookedAt } from "../api/looked";
import { t } from "../i18n";
import { namespace, route, setQuery } from "../route";
import { clock } from "../time";
import { Icon } from "./icons";
import { Mark } from "./parts";
import { tableFeed, useFeed } from "./use";

/** Whether what is shown is true now, or since when it is not. */
export function Live() {
  const states = [...lookedAt.value].map((f) => ({ s: f.state.value, p: f.progress.value }));
  const lost = states.filter((x) => x.s.phase === "lost");
  const loading = states.filter((x) => x.s.phase === "loading");
  if (lost.length) {
    const since = Math.min(...lost.map((x) => x.s.since ?? Infinity));
    const why = lost[0].s.error?.message ?? "";
    return (
      <p class="live bad" role="status" title={why}>
        <Mark tone="bad" />
        {Number.isFinite(since) ? t("Not live since {time}", { time: clock(since) }) : t("No answer from the server")}
      </p>
    );
  }
  if (loading.length) {
    const p = loading.find((x) => x.p)?.p;
    return <p class="live" role="status"><Mark tone="busy" />{p ? t("Reading {have} of {of}", { have: p.have.toLocaleString(), of: p.of.toLocaleString() }) : t("Reading")}</p>;
  }
  const live = states.some((x) => x.s.phase === "live");
  return <p class={"live " + (live ? "good" : "")} role="status"><Mark tone={live ? "good" : "calm"} />{live ? t("Live") : t("Nothing is watched")}</p>;
}

/** A page's head: its title, its filter and what can be done. */
export function Head({ title, children, count, back }: { title: ComponentChildren; children?: ComponentChildren; count?: number; back?: string }) {
  return (
    <header class="page-head">
      {back && <a class="button bare" href={back} aria-label={t("Back")} title={t("Back") + " (Esc)"}><Icon name="back" /></a>}
      <h1>{title}{count !== undefined && <span class="count">{count.toLocaleString()}</span>}</h1>
      <Live />
      <div class="tools">{children}</div>
    </header>
  );
}

/** Chooses the namespace that a page is of. */
export function NamespaceChoice({ none }: { none?: string }) {
  const k = kindOf("namespaces")!;
  const f = useFeed(tableFeed(k, ""))!;
  const refused = f.state.value.phase === "refused";
  const names = [...f.rows.keys()].sort();
  const value = namespace.value;
  if (value && !names.includes(value)) names.unshift(value);
  if (refused) {
    // Who may not list namespaces may know the name of one.
    return (
      <input class="namespace" aria-label={t("Namespace")} placeholder={t("Namespace")} value={value} onChange={(e) => setQuery({ ns: e.currentTarget.value.trim() })} />
    );
  }
  return (
    <select class="namespace" aria-label={t("Namespace")} value={value} onChange={(e) => setQuery({ ns: e.currentTarget.value })}>
      <option value="">{none ?? t("All namespaces")}</option>
      {names.map((n) => <option key={n} value={n}>{n}</option>)}
    </select>
  );
}

export function Filter() {
  return (
    <input type="search" class="filter" aria-label={t("Filter")} placeholder={t("Filter")} value={route.value.query.get("q") ?? ""} spellcheck={false} autocomplete="off"
      onInput={(e) => setQuery({ q: e.currentTarget.value })} onKeyDown={(e) => e.key === "Escape" && (setQuery({ q: "" }), e.currentTarget.blur(), e.stopPropagation())} />
  );
}
