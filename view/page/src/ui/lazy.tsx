// Parts whose code is fetched when they are first shown.
import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Problem } from "./parts";

export function Lazy<P extends object>({ load, props }: { load: () => Promise<{ default: ComponentType<P> }>; props: P }) {
  const [part, setPart] = useState<{ Part?: ComponentType<P>; error?: Error }>({});
  useEffect(() => {
    let here = true;
    load().then((m) => here && setPart({ Part: m.default }), (error) => here && setPart({ error }));
    return () => void (here = false);
  }, []);
  if (part.error) return <Problem error={part.error} />;
  return part.Part ? <part.Part {...props} /> : <div class="waiting" aria-busy="true" />;
}
