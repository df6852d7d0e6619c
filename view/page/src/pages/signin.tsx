// Where one signs in: by the printed address locally, by a token at a server.
import { useState } from "preact/hooks";
import { ApiError, local, setToken } from "../api/transport";
import { t } from "../i18n";
import { refusal, whoIs } from "../session";
import { Boat } from "../ui/icons";
import { Button, Command, Sayings } from "../ui/parts";
import { LanguageChoice, ThemeChoice } from "../ui/choices";

export function SignIn({ done }: { done: () => void }) {
  return (
    <main class="signin">
      <div class="card">
        <h1><Boat size={36} /> Coracle</h1>
        {local ? <Printed /> : <Token done={done} />}
      </div>
      <p class="choices"><LanguageChoice /><ThemeChoice /></p>
      <Sayings />
    </main>
  );
}

const Printed = () => (
  <>
    <p>{refusal.value ? t("The address was used before, or is of another run.") : t("This browser has no session yet.")}</p>
    <p class="soft">{t("Open the address that coracle ui printed last. Each lets one browser in, once.")}</p>
    <Command text="coracle ui" />
  </>
);

function Token({ done }: { done: () => void }) {
  const [value, setValue] = useState("");
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);
  const submit = async (e: Event) => {
    e.preventDefault();
    setBusy(true);
    setToken(value.trim());
    try {
      await whoIs();
      done();
    } catch (e) {
      setToken("");
      setBusy(false);
      setError((e as ApiError).status === 401 ? t("The server does not know this token.") : (e as ApiError).message);
    }
  };
  return (
    <form onSubmit={submit}>
      <p>{t("Sign in with a bearer token. You see and do what its owner may, and it is forgotten with this tab.")}</p>
      <label class="field">
        <span>{t("Token")}</span>
        <input type="password" autofocus required autocomplete="off" spellcheck={false} value={value} onInput={(e) => setValue(e.currentTarget.value)} aria-describedby="signin-error" />
      </label>
      <p id="signin-error" class="error" role="alert">{error}</p>
      <Button kind="main" type="submit" off={busy && t("Asking the server")}>{t("Sign in")}</Button>
      <p class="soft">{t("A token of a service account is made with")}</p>
      <Command text="kubectl create token NAME" />
    </form>
  );
}
