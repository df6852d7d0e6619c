// xterm.js writes style elements and style attributes, which this page's policy forbids, rightly. Made sheets and properties are
// no markup: it gets elements that write those instead.

let done = false;

export function styleBySheets() {
  if (done) return;
  done = true;
  const create = document.createElement.bind(document) as (tag: string, o?: ElementCreationOptions) => HTMLElement;
  document.createElement = ((tag: string, o?: ElementCreationOptions) => {
    // Even an empty style element would be reported.
    const el = create(tag === "style" ? "template" : tag, o);
    if (tag === "style") sheetInstead(el);
    else if (tag === "span") propertyInstead(el);
    return el;
  }) as typeof document.createElement;
}

function sheetInstead(el: HTMLElement) {
  const sheet = new CSSStyleSheet();
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  Object.defineProperty(el, "textContent", { set: (text: string) => sheet.replaceSync(text) });
  el.remove = () => {
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((s) => s !== sheet);
    Element.prototype.remove.call(el);
  };
}

function propertyInstead(el: HTMLElement) {
  el.setAttribute = (name: string, value: string) => {
    if (name === "style") el.style.cssText = value;
    else Element.prototype.setAttribute.call(el, name, value);
  };
}
