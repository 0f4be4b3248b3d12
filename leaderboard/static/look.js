"use strict";
// Language and colours: chosen on any page, remembered by the browser or, where it keeps nothing of files, by the links.
// Runs before the page is drawn. Without it a page is English, in the system's colours, with all its text.
window.MEDAL = (() => {
  const LANGUAGES = ["en", "ko"];
  const root = document.documentElement;
  const asked = new URLSearchParams(location.search);
  const changed = [];

  function stored(name) {
    try { return localStorage.getItem(`medal-${name}`); } catch { return null; } // a browser may forbid it for files
  }

  function store(name, value) {
    try { localStorage.setItem(`medal-${name}`, value); } catch { return false; }
    return true;
  }

  const remembers = store("works", "yes");

  function first(name, known, otherwise) {
    return [asked.get(name), stored(name), otherwise].find((value) => known.includes(value));
  }

  const system = (navigator.language || "").startsWith("ko") ? "ko" : "en";
  const now = { lang: first("lang", LANGUAGES, system), theme: first("theme", ["auto", "light", "dark"], "auto") };

  // A value is a text, or [English, Korean].
  const spoken = (value, language) => (Array.isArray(value) ? value[LANGUAGES.indexOf(language)] : String(value));

  function filled(pair, values, language) {
    return spoken(pair, language).replace(/\{(\w+)\}/g, (all, name) => (name in values ? spoken(values[name], language) : all));
  }

  // Both languages as elements, of which the style shows one.
  function spans(pair, values = {}) {
    const texts = LANGUAGES.map((language) => filled(pair, values, language));
    if (texts[0] === texts[1]) return [document.createTextNode(texts[0])];
    return texts.map((text, k) => Object.assign(document.createElement("span"), { lang: LANGUAGES[k], textContent: text }));
  }

  const say = (pair, values = {}) => filled(pair, values, now.lang);

  // What stands in an attribute is exchanged, for no style can choose it.
  function exchange(name, korean) {
    const kept = `data-en-${name}`;
    for (const element of document.querySelectorAll(`[data-ko-${name}]`)) {
      if (!element.hasAttribute(kept)) element.setAttribute(kept, element.getAttribute(name));
      element.setAttribute(name, element.getAttribute(korean ? `data-ko-${name}` : kept));
    }
  }

  function translate() {
    root.lang = now.lang;
    for (const title of document.querySelectorAll("title[data-ko]")) { // of the page and of points in figures
      title.dataset.en ??= title.textContent;
      title.textContent = now.lang === "ko" ? title.dataset.ko : title.dataset.en;
    }
    for (const name of ["title", "aria-label", "placeholder"]) exchange(name, now.lang === "ko");
  }

  function apply() {
    root.lang = now.lang;
    root.dataset.theme = now.theme;
  }

  function keepInLinks() {
    if (remembers) return;
    const words = new URLSearchParams(Object.entries(now).filter(([name]) => asked.has(name)));
    for (const link of document.querySelectorAll("a[href]:not([download])")) {
      const [path, anchor] = link.getAttribute("href").split("#");
      const file = path.split("?")[0];
      if (!file.endsWith(".html")) continue;
      link.setAttribute("href", file + (words.size ? `?${words}` : "") + (anchor === undefined ? "" : `#${anchor}`));
    }
  }

  function choose(name, value) {
    now[name] = value;
    store(name, value);
    asked.set(name, value);
    apply();
    translate();
    keepInLinks();
    for (const call of changed) call(name);
  }

  document.addEventListener("DOMContentLoaded", () => {
    translate();
    keepInLinks();
    for (const input of document.querySelectorAll(".look input")) {
      input.checked = now[input.name] === input.value;
      input.addEventListener("change", () => choose(input.name, input.value));
    }
  });
  root.classList.add("scripted");
  apply();
  return { now, say, spans, translate, keepInLinks, onChange: (call) => changed.push(call) };
})();
