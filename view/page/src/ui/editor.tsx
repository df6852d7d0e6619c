// CodeMirror for YAML. It lives in a shadow tree, where it styles itself by sheets it makes: the page's policy allows no style
// elements.
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { yaml } from "@codemirror/lang-yaml";
import { HighlightStyle, bracketMatching, foldGutter, foldKeymap, indentOnInput, syntaxHighlighting } from "@codemirror/language";
import { unifiedMergeView } from "@codemirror/merge";
import { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
import { EditorState, type Extension } from "@codemirror/state";
import { EditorView, drawSelection, highlightActiveLine, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { useEffect, useRef } from "preact/hooks";
import { t } from "../i18n";

const look = EditorView.theme({
  "&": { height: "100%", fontSize: "13px", backgroundColor: "var(--panel)", color: "var(--text)" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.55" },
  ".cm-content": { caretColor: "var(--accent)", padding: "10px 0" },
  ".cm-cursor": { borderLeftColor: "var(--accent)" },
  ".cm-gutters": { backgroundColor: "var(--panel)", color: "var(--faint)", border: "none" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "color-mix(in srgb, var(--hover) 60%, transparent)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": { backgroundColor: "var(--chosen)" },
  ".cm-panel.cm-search": { fontSize: "14px", padding: "8px 12px" },
  ".cm-panel.cm-search label, .cm-panel.cm-search input, .cm-panel.cm-search button": { font: "inherit", fontSize: "13px" },
  ".cm-panel.cm-search [name=close]": { fontSize: "18px", top: "6px", right: "10px" },
  ".cm-collapsedLines:before, .cm-collapsedLines:after": { content: '"···"' },
  ".cm-panels": { backgroundColor: "var(--raised)", color: "var(--text)", borderColor: "var(--line)" },
  ".cm-textfield": { backgroundColor: "var(--panel)", border: "1px solid var(--edge)", borderRadius: "5px", padding: "3px 8px" },
  ".cm-button": { backgroundImage: "none", backgroundColor: "var(--panel)", border: "1px solid var(--line)", borderRadius: "5px", color: "inherit", padding: "3px 8px" },
  ".cm-searchMatch": { backgroundColor: "light-dark(#ffe9b0, #5a4712)" },
  ".cm-foldPlaceholder": { backgroundColor: "var(--hover)", border: "none", color: "var(--soft)" },
  ".cm-deletedChunk": { backgroundColor: "light-dark(#fdecea, #2f1b1a)", paddingLeft: "6px" },
  ".cm-insertedLine, .cm-changedLine": { backgroundColor: "light-dark(#e8f5ee, #14281e) !important" },
  ".cm-changedText": { background: "light-dark(#bfe5cf, #1f5136) !important" },
  ".cm-deletedChunk .cm-deletedText": { background: "light-dark(#f6c6c1, #6b2a25) !important" },
  ".cm-changeGutter": { width: "4px" },
  ".cm-collapsedLines": { background: "var(--bg)", color: "var(--soft)", padding: "4px 14px" },
});
const colours = syntaxHighlighting(HighlightStyle.define([
  { tag: [tags.definition(tags.propertyName), tags.propertyName], color: "light-dark(#0b5c7a, #7cc6e6)" },
  { tag: [tags.string, tags.special(tags.string)], color: "light-dark(#2c6b2f, #a5d6a0)" },
  { tag: [tags.number, tags.bool, tags.null, tags.atom, tags.keyword], color: "light-dark(#8a4b00, #f0b874)" },
  { tag: tags.comment, color: "var(--faint)", fontStyle: "italic" },
  { tag: [tags.punctuation, tags.separator, tags.meta], color: "var(--soft)" },
]));

// The editor's own words.
const words = () => EditorState.phrases.of(Object.fromEntries([
  ["Find", t("Find")], ["Replace", t("Replace")], ["next", t("next")], ["previous", t("previous")], ["all", t("all")], ["match case", t("match case")], ["regexp", t("regular expression")], ["by word", t("whole words")],
  ["replace", t("replace")], ["replace all", t("replace all")], ["close", t("Close")], ["Go to line", t("Go to line")], ["go", t("go")], ["$ unchanged lines", t("{n} unchanged lines", { n: "$" })],
  ["current match", t("current match")], ["on line", t("on line")], ["replaced $ matches", t("replaced {n} matches", { n: "$" })], ["replaced match on line $", t("replaced match on line {n}", { n: "$" })],
  ["folded code", t("folded lines")], ["unfold", t("unfold")], ["Fold line", t("Fold these lines")], ["Unfold line", t("Unfold these lines")], ["Folded lines", t("Folded lines")], ["Unfolded lines", t("Unfolded lines")], ["to", t("to line")],
  ["Selection deleted", t("What was selected is deleted")], ["Control character", t("Control character")],
]));

export function Editor({ text, before, label, onChange, onSubmit }: { text: string; before?: string; label: string; onChange?: (text: string) => void; onSubmit?: () => void }) {
  const place = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | undefined>(undefined);
  // The editor outlives the functions that it was made with.
  const latest = useRef({ onChange, onSubmit });
  latest.current = { onChange, onSubmit };
  useEffect(() => {
    const root = place.current!.shadowRoot ?? place.current!.attachShadow({ mode: "open" });
    const extensions: Extension[] = [
      lineNumbers(), foldGutter(), drawSelection(), history(), indentOnInput(), bracketMatching(), highlightSelectionMatches(), search({ top: true }), yaml(), colours, look, words(),
      EditorView.contentAttributes.of({ "aria-label": label, tabindex: "0" }),
      keymap.of([{ key: "Mod-Enter", run: () => (latest.current.onSubmit?.(), true) }, ...defaultKeymap, ...searchKeymap, ...historyKeymap, ...foldKeymap]),
    ];
    if (onChange) extensions.push(highlightActiveLine(), EditorView.updateListener.of((u) => u.docChanged && latest.current.onChange?.(u.state.doc.toString())));
    else extensions.push(EditorState.readOnly.of(true));
    if (before !== undefined) extensions.push(unifiedMergeView({ original: before, mergeControls: false, collapseUnchanged: { margin: 4, minSize: 8 } }));
    const v = new EditorView({ parent: root, root, state: EditorState.create({ doc: text, extensions }) });
    view.current = v;
    if (onChange) v.focus();
    return () => v.destroy();
  }, [before]);
  // Text that is only shown follows what it shows.
  useEffect(() => {
    const v = view.current!;
    if (!onChange && v.state.doc.toString() !== text) v.dispatch({ changes: { from: 0, to: v.state.doc.length, insert: text } });
  }, [text]);
  return <div class="editor" ref={place} />;
}
