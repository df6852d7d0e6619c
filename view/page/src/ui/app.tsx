// The frame around the pages: where one can go, what is live, and the keys.
import { useEffect, useState } from "preact/hooks";
import type { ComponentChildren } from "preact";
import { kindOf } from "../api/kinds";
import { local, setToken } from "../api/transport";
import { t } from "../i18n";
import { go, href, route } from "../route";
import { me, serverVersion, shown } from "../session";
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
import { Live } from "./head";
import { Boat, Icon } from "./icons";
import { Lazy } from "./lazy";
import { Keys, Palette, type Place } from "./palette";
import { Button, Sayings } from "./parts";

interface PlaceWithPage extends Place {
  page: () => ComponentChildren;
}

const places: PlaceWithPage[] = [
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
const further: PlaceWithPage[] = [{ id: "apply", title: "Apply YAML", key: "a", page: () => <Lazy load={() => import("../pages/apply")} props={{}} /> }];
const all = [...places, ...further];

export function App() {
  const [palette, setPalette] = useState(false);
  const [keys, setKeys] = useState(false);
  useKeys({ palette: () => setPalette(true), keys: () => setKeys(true) });
  const [first = "overview", ns, name, tab] = route.value.parts;
  const place = all.find((p) => p.id === first);
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
      {palette && <Palette places={all} onClose={() => setPalette(false)} />}
      {keys && <Keys places={all} onClose={() => setKeys(false)} />}
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
        const place = all.find((p) => p.key === e.key);
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
