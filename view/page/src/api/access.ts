// What the user may do, asked of the API before it is offered.
import { signal, type Signal } from "@preact/signals";
import { t } from "../i18n";
import { getJSON } from "./transport";
import type { Kind } from "./kinds";

export interface Wish {
  verb: string;
  group?: string;
  resource: string;
  subresource?: string;
  namespace?: string;
  name?: string;
}

export interface Answer {
  allowed: boolean;
  reason: string;
}

// Rights change seldom; an answer is good for this long.
const fresh = 60_000;
const answers = new Map<string, { at: number; answer: Signal<Answer | undefined> }>();

/** Whether the user may; undefined until the API has answered. */
export function may(w: Wish): Answer | undefined {
  const id = JSON.stringify(w);
  let known = answers.get(id);
  if (!known || Date.now() - known.at > fresh) {
    const answer = known?.answer ?? signal<Answer | undefined>(undefined);
    answers.set(id, (known = { at: Date.now(), answer }));
    ask(w).then((a) => (answer.value = a), (e) => (answer.value = { allowed: true, reason: String(e.message) })); // then the API itself says no
  }
  return known.answer.value;
}

export async function ask(w: Wish): Promise<Answer> {
  const review = await getJSON("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", {
    method: "POST", body: JSON.stringify({ apiVersion: "authorization.k8s.io/v1", kind: "SelfSubjectAccessReview", spec: { resourceAttributes: w } }),
  });
  return { allowed: !!review.status?.allowed, reason: review.status?.reason || review.status?.evaluationError || "" };
}

/** Why one may not, in a sentence; false if one may or it is not known yet. */
export function refusal(w: Wish): string | false {
  const right = may(w);
  if (!right || right.allowed) return false;
  const what = w.resource + (w.subresource ? "/" + w.subresource : "") + (w.group ? "." + w.group : "");
  return t("You may not do this: nothing allows {verb} on {what}", { verb: w.verb, what }) + (w.namespace ? " " + t("in {ns}", { ns: w.namespace }) : "") + (right.reason ? " (" + right.reason + ")" : "");
}

export const wish = (k: Kind, verb: string, namespace: string, name: string, subresource?: string): Wish => ({ verb, group: k.group || undefined, resource: k.resource, subresource, namespace: namespace || undefined, name });
