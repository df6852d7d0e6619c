// Who looks at what.
import { signal } from "@preact/signals";
import { ApiError, getJSON, local, request, setToken } from "./api/transport";

export interface Me {
  name: string;
  groups: string[];
}

export const me = signal<Me | undefined>(undefined);
/** What coracle ui says that it shows. */
export const shown = signal<{ context: string; namespace: string; server: string } | undefined>(undefined);
export const serverVersion = signal("");
/** Why the address that brought one here did not let one in. */
export const refusal = signal("");

/** Exchanges the secret of the address, if it has one, for a session, and takes it from the address bar. */
export async function enterWithKey() {
  const key = location.hash.match(/^#key=([A-Z2-7]+)$/)?.[1];
  if (!key) return;
  history.replaceState(null, "", location.pathname + "#/");
  window.dispatchEvent(new HashChangeEvent("hashchange"));
  try {
    setToken("");
    const { token } = await (await request("/ui/session", { method: "POST", body: JSON.stringify({ Key: key }) })).json();
    setToken(token);
  } catch (e) {
    refusal.value = (e as ApiError).message;
  }
}

export async function whoIs(): Promise<Me> {
  const review = await getJSON("/apis/authentication.k8s.io/v1/selfsubjectreviews", {
    method: "POST", body: JSON.stringify({ apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" }),
  });
  const info = review.status?.userInfo ?? {};
  return { name: info.username ?? "", groups: info.groups ?? [] };
}

export async function learnWhoIAm() {
  if (local) getJSON("/ui/session").then((s) => (shown.value = s), () => {});
  getJSON("/version").then((v) => (serverVersion.value = v.gitVersion ?? ""), () => {});
  try {
    me.value = await whoIs();
  } catch {
    me.value = undefined; // the pages say what fails
  }
}
