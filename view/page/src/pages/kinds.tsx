// All that the server has, custom resources among them.
import { useEffect } from "preact/hooks";
import { discover, discovered, idOf, kinds, type Kind } from "../api/kinds";
import { t } from "../i18n";
import { href, route } from "../route";
import { Filter, Head } from "../ui/head";
import { Icon } from "../ui/icons";
import { Empty } from "../ui/parts";
import { Card } from "./summary";

export function Kinds() {
  // Kinds come with definitions of custom resources, and with other servers: who looks at them sees those that there are now.
  useEffect(() => void discover().catch(() => {}), []);
  const q = (route.value.query.get("q") ?? "").toLowerCase();
  const groups = new Map<string, Kind[]>();
  for (const k of kinds.value.values()) {
    if (!k.verbs.includes("list") || !`${k.kind} ${idOf(k)} ${k.short.join(" ")}`.toLowerCase().includes(q)) continue;
    groups.set(k.group, [...(groups.get(k.group) ?? []), k]);
  }
  return (
    <div class="page">
      <Head title={t("All kinds")} count={[...groups.values()].flat().length}><a class="button" href={href(["apply"])}><Icon name="edit" />{t("Apply YAML")}</a><Filter /></Head>
      {!groups.size && discovered.value && <Empty>{t("Nothing passes the filter")}</Empty>}
      <div class="kinds">
        {[...groups].map(([group, list]) => (
          <Card key={group} title={group || t("core")}>
            <ul>{list.map((k) => <li key={idOf(k)}><a href={href([idOf(k)])}>{k.kind}</a><small>{k.short.join(" ")}</small></li>)}</ul>
          </Card>
        ))}
      </div>
    </div>
  );
}
