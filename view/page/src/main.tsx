// The page's start: words, then who one is, then what there is to see.
import { render } from "preact";
import { signal } from "@preact/signals";
import { discover } from "./api/kinds";
import { forgetAll } from "./api/looked";
import { hasToken, local, setToken, whenSignedOut } from "./api/transport";
import { loadWords } from "./i18n";
import { enterWithKey, learnWhoIAm } from "./session";
import { App } from "./ui/app";
import { SignIn } from "./pages/signin";
import "./settings";

const inside = signal(false);

async function enter() {
  inside.value = true;
  void discover().catch(() => {}); // what asks for kinds says why there are none
  void learnWhoIAm();
}

whenSignedOut(() => {
  if (!inside.value) return;
  setToken("");
  inside.value = false;
  forgetAll();
});

const Root = () => (inside.value ? <App /> : <SignIn done={enter} />);

// Another address in the same tab changes nothing but the fragment.
window.addEventListener("hashchange", () => {
  if (local && location.hash.startsWith("#key=")) void enterWithKey().then(() => hasToken() && location.reload());
});

async function start() {
  await loadWords();
  if (local) await enterWithKey();
  if (hasToken()) await enter();
  render(<Root />, document.body);
}

void start();
