// Find anything by its name: pages, kinds, namespaces, and the objects that are being watched.
import { useMemo, useState } from "preact/hooks";
import { all } from "../api/feed";
import { discovered, idOf, kinds, pathOf } from "../api/kinds";
import { t } from "../i18n";
import { go, href, objectLink } from "../route";
import { Dialog } from "./parts";

/** Where one can go. */
export interface Place {
  id: string;
  title: string;
  /** After g. */
  key: string;
}

interface Found {
  what: string;
  name: string;
  to: string;
}

/** Everything that can be gone to. */
function everything(places: Place[]): Found[] {
  const found: Found[] = places.map((p) => ({ what: t("Page"), name: t(p.title), to: href([p.id]) }));
  for (const k of kinds.value.values()) if (k.verbs.includes("list")) found.push({ what: t("Kind"), name: k.kind + (k.group ? "  " + k.group : "") + (k.short.length ? "  " + k.short.join(" ") : ""), to: href([idOf(k)]) });
  for (const f of all.value) {
    const k = [...kinds.value.values()].find((k) => f.path === pathOf(k) || (k.namespaced && f.path.endsWith("/" + k.resource) && f.path.startsWith(pathOf(k).slice(0, -k.resource.length))));
    if (!k) continue;
    let n = 0;
    for (const r of f.rows.values() as Iterable<any>) {
      const m = r.object?.metadata ?? r;
      if (k.resource === "events" || n++ > 20_000) break;
      found.push({ what: k.kind, name: (m.namespace ? m.namespace + "/" : "") + m.name, to: objectLink(idOf(k), m.namespace ?? "", m.name) });
      if (k.resource === "namespaces") found.push({ what: t("Look at namespace"), name: m.name, to: href(["workloads"], { ns: m.name }) });
    }
  }
  return found;
}

export function search(found: Found[], words: string, most = 40): Found[] {
  const parts = words.toLowerCase().split(/\s+/).filter(Boolean);
  const good: [number, Found][] = [];
  for (const f of found) {
    const text = (f.name + " " + f.what).toLowerCase();
    if (!parts.every((p) => text.includes(p))) continue;
    const at = parts.length ? f.name.toLowerCase().indexOf(parts[0]) : 0;
    good.push([(at < 0 ? 50 : Math.min(at, 20)) + f.name.length / 200, f]);
  }
  return good.sort((a, b) => a[0] - b[0]).slice(0, most).map(([, f]) => f);
}

export function Palette({ places, onClose }: { places: Place[]; onClose: () => void }) {
  const [words, setWords] = useState("");
  const [at, setAt] = useState(0);
  const from = useMemo(() => everything(places), [discovered.value]);
  const found = search(from, words);
  const open = (f?: Found) => {
    if (!f) return;
    onClose();
    go(f.to);
  };
  return (
    <Dialog title={t("Find")} onClose={onClose} bare>
      <input class="palette" role="combobox" aria-expanded="true" aria-controls="found" aria-activedescendant={found[at] ? "found-" + at : undefined} aria-label={t("Find pages, kinds, namespaces and objects")}
        placeholder={t("Find pages, kinds, namespaces and objects")} autofocus value={words} spellcheck={false} autocomplete="off"
        onInput={(e) => (setWords(e.currentTarget.value), setAt(0))}
        onKeyDown={(e) => {
          if (e.key === "ArrowDown") setAt(Math.min(found.length - 1, at + 1));
          else if (e.key === "ArrowUp") setAt(Math.max(0, at - 1));
          else if (e.key === "Enter") open(e.currentTarget.value === words ? found[at] : search(from, e.currentTarget.value)[0]); // who types fast is ahead of what is drawn
          else return;
          e.preventDefault();
        }} />
      <ul id="found" role="listbox" aria-label={t("Found")} class="found">
        {found.map((f, i) => (
          <li key={f.to + f.what} id={"found-" + i} role="option" aria-selected={i === at} ref={(el) => void (i === at && el?.scrollIntoView({ block: "nearest" }))} onClick={() => open(f)} onMouseMove={() => i !== at && setAt(i)}>
            <span>{f.name}</span><small>{f.what}</small>
          </li>
        ))}
        {!found.length && <li role="option" aria-selected="false" aria-disabled="true" class="soft">{t("Nothing of that name")}</li>}
      </ul>
    </Dialog>
  );
}

export function Keys({ places, onClose }: { places: Place[]; onClose: () => void }) {
  const rows: [string, string][] = [
    ["Ctrl K", t("Find")], ["/", t("Filter")], ...places.map((p) => ["g " + p.key, t(p.title)] as [string, string]),
    ["j k ↑ ↓", t("Move in a list")], ["Enter", t("Open")], ["Esc", t("Back")], ["?", t("These keys")],
  ];
  return (
    <Dialog title={t("Keys")} onClose={onClose}>
      <dl class="keys">{rows.map(([k, what]) => <div key={k}><dt><kbd>{k}</kbd></dt><dd>{what}</dd></div>)}</dl>
    </Dialog>
  );
}
