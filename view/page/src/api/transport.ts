// How the page reaches the API. Locally a session stands for the user, at a server a bearer token. What stays open is in stream.ts.
import { Members } from "./members";

export const local = document.documentElement.dataset.mode === "local";

const tokenKey = "coracle-view-token";
// A session's token is of this origin, port included, and as good in other tabs. A bearer token ends with its tab.
const kept: Storage = local ? localStorage : sessionStorage;
let token = kept.getItem(tokenKey) ?? "";

export const hasToken = () => token !== "";
export const theToken = () => token;

export function setToken(value: string) {
  token = value;
  if (value) kept.setItem(tokenKey, value);
  else kept.removeItem(tokenKey);
}

/** What the API answered, in its own words. status 0: it did not answer. */
export class ApiError extends Error {
  constructor(readonly status: number, message: string, readonly reason = "", readonly details: any = undefined) {
    super(message);
  }
}

/** Called when the session or token is no longer good. */
export let onSignedOut = () => {};
export const whenSignedOut = (f: () => void) => (onSignedOut = f);

export interface Ask {
  method?: string;
  body?: string;
  type?: string;
  accept?: string;
  signal?: AbortSignal;
}

function headers(ask: Ask): Record<string, string> {
  const h: Record<string, string> = { Accept: ask.accept ?? "application/json" };
  if (ask.body !== undefined) h["Content-Type"] = ask.type ?? "application/json";
  if (local) h["X-Coracle-View"] = token || "enter";
  else h["Authorization"] = "Bearer " + token;
  return h;
}

export async function request(path: string, ask: Ask = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, {
      method: ask.method ?? "GET", body: ask.body, headers: headers(ask), signal: ask.signal,
      credentials: local ? "same-origin" : "omit", redirect: "error", cache: "no-store",
    });
  } catch (e) {
    if (ask.signal?.aborted) throw e;
    throw new ApiError(0, "no answer");
  }
  if (!response.ok) throw failure(response.status, await response.text().catch(() => ""));
  return response;
}

export const getJSON = async <T = any>(path: string, ask: Ask = {}): Promise<T> => (await request(path, ask)).json();
/** Reads a list: head tells all but its members before they come; the whole head is returned. */
export async function getList(path: string, ask: Ask, head: (known: any) => void, member: (object: any) => void): Promise<any> {
  const response = await request(path, ask);
  const members = new Members(head, member);
  for await (const text of texts(response)) members.push(text);
  return members.end();
}
/** Changes a part of an object. */
export const patch = (path: string, body: object, type = "application/merge-patch+json") => request(path + "?fieldManager=coracle-view", { method: "PATCH", type, body: JSON.stringify(body) });
export const getText = async (path: string, ask: Ask = {}): Promise<string> => (await request(path, ask)).text();

/** An answer that is a refusal. Status objects say why; others are text. */
export function failure(status: number, body: string): ApiError {
  if (status === 401) onSignedOut();
  try {
    const s = JSON.parse(body);
    if (s.kind === "Status") return new ApiError(s.code ?? status, s.message || s.reason || String(status), s.reason, s.details);
  } catch {
    // it is text
  }
  return new ApiError(status, body.trim().slice(0, 500) || `HTTP ${status}`);
}

/** An answer's text, as it comes. */
export async function* texts(response: Response): AsyncGenerator<string> {
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield value;
  }
}

/** A WebSocket to the API: those cannot have headers, so that what stands for the user goes with the protocols. */
export function webSocket(path: string, protocol: string): WebSocket {
  const u = new URL(path, location.origin);
  u.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  const bearer = btoa(token).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  return new WebSocket(u, [protocol, local ? "token.view.coracle." + token : "base64url.bearer.authorization.k8s.io." + bearer]);
}
