import { loadWords, t } from "../i18n";
import { language, theme, type Theme } from "../settings";
import { Button } from "./parts";

const next: Record<Theme, Theme> = { auto: "light", light: "dark", dark: "auto" };
const themeNames: Record<Theme, string> = { auto: "Theme: as the system's", light: "Theme: light", dark: "Theme: dark" };

export const ThemeChoice = () => (
  <Button icon={{ auto: "auto", light: "sun", dark: "moon" }[theme.value]} label={t(themeNames[theme.value])} onClick={() => (theme.value = next[theme.value])} />
);

export function LanguageChoice() {
  const zh = language.value === "zh";
  return (
    <button type="button" class="button bare" lang={zh ? "en" : "zh-CN"} title={zh ? "English" : "中文"} aria-label={zh ? "English" : "中文"} onClick={() => {
      language.value = zh ? "en" : "zh";
      void loadWords();
    }}>
      {zh ? "EN" : "中"}
    </button>
  );
}
