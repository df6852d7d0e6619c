// The frame around the pages: where one can go, what is live, and the keys.
import { useEffect, useState } from "preact/hooks";
import type { ComponentChildren } from "preact";
import { lookedAt } from "../api/looked";
import { kindOf } from "../api/kinds";
import { local, setToken } from "../api/transport";
import { t } from "../i18n";
import { go, href, namespace, route, setQuery } from "../route";
import { me, serverVersion, shown } from "../session";
import { clock } from "../time";
import { Forwards } from "../pages/forwards";
import { KindList } from "../pages/list";
import { Kinds } from "../pages/kinds";
import { Network } from "../pages/network";
import { Nodes } from "../pages/nodes";
import { ObjectPage } from "../pages/object";
import { Overview } from "../pages/overview";
import { Events } from "../pages/events";
import { Rights } from "../pages/rights";
import { Workloads } from "../pages/workloads";
import { LanguageChoice, ThemeChoice } from "./choices";
import { Boat, Icon } from "./icons";
import { Lazy } from "./lazy";
import { Keys, Palette } from "./palette";
import { Button, Mark, Sayings } from "./parts";
import { tableFeed, useFeed } from "./use";

export interface Place {
  id: string;
  title: string;
  key: string;
  page: () => ComponentChildren;
}

export const places: Place[] = [
  { id: "overview", title: "Overview", key: "o", page: () => <Overview /> },
  { id: "nodes", title: "Nodes", key: "n", page: () => <Nodes /> },
  { id: "workloads", title: "Workloads", key: "w", page: () => <Workloads /> },
  { id: "pods", title: "Pods", key: "p", page: () => <KindList id="pods" title="Pods" /> },
  { id: "events", title: "Events", key: "e", page: () => <Events /> },
  { id: "network", title: "Network", key: "t", page: () => <Network /> },
  { id: "rights", title: "Rights", key: "r", page: () => <Rights /> },
  { id: "forwards", title: "Forwards", key: "f", page: () => <Forwards /> },
  { id: "kinds", title: "All kinds", key: "k", page: () => <Kinds /> },
];

// Pages that are gone to from others.
const further: Place[] = [{ id: "apply", title: "Apply YAML", key: "a", page: () => <Lazy load={() => import("../pages/apply")} props={{}} /> }];
export const allPlaces = () => [...places, ...further];

export function App() {
  const [palette, setPalette] = useState(false);
  const [keys, setKeys] = useState(false);
  useKeys({ palette: () => setPalette(true), keys: () => setKeys(true) });
  const [first = "overview", ns, name, tab] = route.value.parts;
  const place = allPlaces().find((p) => p.id === first);
  const page = name ? <ObjectPage key={first + ns + name} id={first} ns={ns} name={name} tab={tab} /> : place ? place.page() : <KindList key={first} id={first} />;
  useEffect(() => {
    const what = name ?? (place ? t(place.title) : kindOf(first)?.kind ?? first);
    document.title = `${what} · ${shown.value?.context || location.hostname} · Coracle`;
  });
  return (
    <>
      <a class="skip" href="#main" onClick={(e) => (e.preventDefault(), document.querySelector<HTMLElement>("main")?.focus())}>{t("To the content")}</a>
      <Nav first={first} onSearch={() => setPalette(true)} />
      <main id="main" tabIndex={-1}>{page}</main>
      <Sayings />
      {palette && <Palette onClose={() => setPalette(false)} />}
      {keys && <Keys onClose={() => setKeys(false)} />}
    </>
  );
}

// Pages that kinds without one of their own are reached from.
const belongs: Record<string, string> = { "deployments.apps": "workloads", "statefulsets.apps": "workloads", "daemonsets.apps": "workloads", "jobs.batch": "workloads", "cronjobs.batch": "workloads", "networkpolicies.networking.k8s.io": "network" };

function Nav({ first, onSearch }: { first: string; onSearch: () => void }) {
  const here = places.some((p) => p.id === first) ? first : belongs[first] ?? "kinds";
  return (
    <nav aria-label={t("Pages")}>
      <a class="brand" href={href(["overview"])} aria-label={t("Overview")}>
        <Boat />
        <span><strong>Coracle</strong><small title={shown.value?.server ?? location.host}>{shown.value?.context || location.host}</small></span>
      </a>
      <ul>
        {places.map((p) => (
          <li key={p.id}>
            <a href={href([p.id])} ref={(el) => void (p.id === here && el?.scrollIntoView?.({ block: "nearest", inline: "nearest" }))} aria-current={p.id === here ? "page" : undefined} title={`${t(p.title)} (g ${p.key})`}><Icon name={p.id} /><span>{t(p.title)}</span></a>
          </li>
        ))}
      </ul>
      <div class="foot">
        <Live />
        <div class="who">
          <span title={[me.value?.name, ...(me.value?.groups ?? [])].filter(Boolean).join("\n")}>{me.value?.name ?? "—"}</span>
          <small>{serverVersion.value}</small>
        </div>
        <div class="choices">
          <Button icon="search" label={t("Find (Ctrl K or /)")} onClick={onSearch} />
          <LanguageChoice />
          <ThemeChoice />
          {!local && <Button icon="out" label={t("Sign out")} onClick={() => (setToken(""), location.reload())} />}
        </div>
      </div>
    </nav>
  );
}

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

function useKeys(does: { palette: () => void; keys: () => void }) {
  useEffect(() => {
    let g = 0;
    const key = (e: KeyboardEvent) => {
      const writing = (e.target as Element).closest?.("input, textarea, select, [contenteditable], dialog, .xterm");
      if ((e.ctrlKey || e.metaKey) && e.key === "k") {
        e.preventDefault();
        if (!document.querySelector("dialog[open]")) does.palette();
        return;
      }
      if (writing || e.ctrlKey || e.metaKey || e.altKey) return;
      if (g && Date.now() - g < 1200) {
        g = 0;
        const place = allPlaces().find((p) => p.key === e.key);
        if (place) go(href([place.id]));
        return;
      }
      if (e.key === "g") g = Date.now();
      else if (e.key === "/") {
        e.preventDefault();
        const filter = document.querySelector<HTMLElement>(".filter");
        if (filter) filter.focus();
        else does.palette();
      } else if (e.key === "?") does.keys();
      else if (e.key === "Escape" && !e.defaultPrevented) document.querySelector<HTMLElement>(".page-head a[href]")?.click();
    };
    document.addEventListener("keydown", key);
    return () => document.removeEventListener("keydown", key);
  }, []);
}
