"use strict";
// Sorts, searches and leafs through all rows of a board, and shows the columns that a reader wants.
// The page brings its first rows itself: until something is asked for, nothing here touches them.
(() => {
  const { columns, ranked, unranked, rowsAPage, words, states, routes } = window.BOARD;
  const table = document.getElementById("board");
  const [form, pager, chooser] = ["form.filter", "nav.pager", "details.chooser"].map((name) => document.querySelector(name));
  const headers = Array.from(table.tHead.rows[0].cells);
  const names = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });
  const flat = (value) => (Array.isArray(value) ? value.join(" ") : value || "");
  const text = new Map();
  for (const row of [...ranked, ...unranked]) {
    const parts = [row.team, row.title, row.words, row.id, row.reason, routes[row.route], row.isolation, states[row.state]];
    text.set(row, parts.map(flat).join(" ").toLocaleLowerCase());
  }
  let order = ranked; // as it is sorted
  let found = [...ranked, ...unranked]; // as it is searched, the unranked last
  let page = 0;

  function compareNumbers(a, b, sign) {
    if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b); // missing is last, both ways
    return sign * (a - b);
  }

  function sortBy(k, descending) {
    const numeric = headers[k].dataset.sort === "number";
    const [sign, place] = [descending ? -1 : 1, new Map(ranked.map((row, n) => [row, n]))];
    const key = new Map(ranked.map((row) => [row, window.rowOf.keyOf(row, columns[k], numeric)]));
    order = ranked.toSorted((a, b) => {
      const [x, y] = [key.get(a), key.get(b)];
      return (numeric ? compareNumbers(x, y, sign) : sign * names.compare(x, y)) || place.get(a) - place.get(b);
    });
    for (const other of headers) other.removeAttribute("aria-sort");
    headers[k].setAttribute("aria-sort", descending ? "descending" : "ascending");
    search();
  }

  const hidden = (k) => headers[k].hidden;

  function hideCells(rows) {
    const off = new Set(columns.filter((_, k) => hidden(k)).map(({ key }) => key));
    const middle = columns.filter((column, k) => !column.end && !column.more && k > 1 && !off.has(column.key)).length;
    for (const row of rows) {
      for (const cell of row.cells) if (cell.dataset.key) cell.hidden = off.has(cell.dataset.key);
      const reason = row.querySelector("td.reason");
      if (reason) [reason.colSpan, reason.hidden] = [Math.max(1, middle), middle === 0];
      if (row.className === "break") row.cells[1].colSpan = columns.length - off.size - 1;
    }
  }

  function bodyOf(className, rows) {
    const body = document.createElement("tbody");
    body.className = className;
    body.append(...rows);
    return body;
  }

  function draw() {
    const shown = found.slice(page * rowsAPage, (page + 1) * rowsAPage);
    const without = new Set(unranked);
    const [above, below] = [shown.filter((row) => !without.has(row)), shown.filter((row) => without.has(row))];
    const bodies = [bodyOf("ranked", above.map((row) => window.rowOf(row, true)))];
    if (below.length) bodies.push(bodyOf("unranked", [window.rowOf.heading(), ...below.map((row) => window.rowOf(row, false))]));
    for (const body of Array.from(table.tBodies)) body.remove();
    table.append(...bodies);
    hideCells(bodies.flatMap((body) => Array.from(body.rows)));
    MEDAL.keepInLinks();
    tell();
  }

  function tell() {
    const [total, all] = [found.length, text.size];
    const values = { n: total.toLocaleString("en"), total: all.toLocaleString("en") };
    const counted = total < all ? words.entries_of : total === 1 ? words.entries_one : words.entries;
    form.querySelector("output").replaceChildren(...MEDAL.spans(counted, values));
    pager.hidden = total <= rowsAPage;
    const [first, last] = [page * rowsAPage + 1, Math.min(total, (page + 1) * rowsAPage)].map((n) => n.toLocaleString("en"));
    pager.querySelector("output").replaceChildren(...MEDAL.spans(words.range, { first, last, total: values.n }));
    for (const button of pager.querySelectorAll("button")) {
      const next = page + Number(button.dataset.step);
      button.disabled = next < 0 || next * rowsAPage >= total;
    }
  }

  function search() {
    const asked = form.elements.words.value.toLocaleLowerCase().split(/\s+/).filter(Boolean);
    const [route, state] = ["route", "state"].map((name) => form.elements[name]?.value || "");
    const fits = (row) => (!route || row.route === route) && asked.every((word) => text.get(row).includes(word));
    const [above, below] = [state === "unranked" ? [] : order, state === "ranked" ? [] : unranked];
    found = [...above.filter(fits), ...below.filter(fits)];
    page = 0;
    draw();
  }

  function leaf(step) {
    page += step;
    draw();
    table.scrollIntoView({ block: "start" });
  }

  // A link from an entry's page leads to its row, wherever that stands.
  function goTo(id) {
    const place = found.findIndex((row) => row.id === id);
    if (place < rowsAPage || document.getElementById(id)) return;
    page = Math.floor(place / rowsAPage);
    draw();
    location.replace(`#${id}`); // which marks the row
    requestAnimationFrame(() => document.getElementById(id).scrollIntoView({ block: "center" }));
  }

  function makeSortable(header, k) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    header.append(button);
    button.addEventListener("click", () => {
      const now = header.getAttribute("aria-sort");
      const first = header.dataset.sort === "number" && columns[k].kind !== "rank";
      sortBy(k, now === null ? first : now === "ascending");
    });
  }

  // ---------------------------------------------------------------------------------- columns
  const KEY = `medal-columns-${location.pathname}`;
  const toggle = document.querySelector(".beside-table .toggle input");

  function setHidden(off) {
    columns.forEach(({ key }, k) => {
      headers[k].hidden = table.querySelectorAll("col")[k].hidden = off.has(key);
    });
    for (const box of chooser.querySelectorAll("input")) box.checked = !off.has(box.value);
    if (toggle) toggle.checked = columns.every(({ key, more }) => !more || !off.has(key));
    table.closest(".box").classList.toggle("wide", columns.some(({ key, more }) => more && !off.has(key)));
    hideCells([...table.tBodies].flatMap((body) => Array.from(body.rows)));
  }

  function remember(off) {
    try { localStorage.setItem(KEY, JSON.stringify([...off])); } catch { /* then it is chosen again */ }
    setHidden(off);
  }

  const atFirst = () => new Set(columns.filter(({ more }) => more).map(({ key }) => key));
  const boxes = () => new Set(Array.from(chooser.querySelectorAll("input:not(:checked)"), (box) => box.value));

  function makeChooser() {
    for (const { key, title, small } of columns.filter((column) => !["rank", "entry"].includes(column.key))) {
      const [label, box, name] = ["label", "input", "span"].map((tag) => document.createElement(tag));
      Object.assign(box, { type: "checkbox", value: key, autocomplete: "off" });
      name.append(...MEDAL.spans(title), ...(small ? [" · ", ...MEDAL.spans(small)] : []));
      label.append(box, name);
      chooser.querySelector(".choices").append(label);
    }
    chooser.addEventListener("change", () => remember(boxes()));
    chooser.querySelector("button").addEventListener("click", () => remember(atFirst()));
    toggle?.addEventListener("change", () => {
      const off = boxes();
      for (const { key, more } of columns) if (more) off[toggle.checked ? "delete" : "add"](key);
      remember(off);
    });
    chooser.hidden = false;
  }

  function kept() {
    try { return JSON.parse(localStorage.getItem(KEY)) || [...atFirst()]; } catch { return [...atFirst()]; }
  }

  for (const row of table.tBodies[0].rows) Array.from(row.cells).forEach((cell, k) => { cell.dataset.key = columns[k].key; });
  for (const row of table.querySelectorAll("tr.unranked")) {
    const keys = ["rank", "entry", "", ...columns.filter((c) => c.end || c.more).map(({ key }) => key)];
    Array.from(row.cells).forEach((cell, k) => { if (keys[k]) cell.dataset.key = keys[k]; });
  }
  table.classList.add("scripted");
  if (ranked.length) headers.forEach((header, k) => { if (header.dataset.sort) makeSortable(header, k); });
  makeChooser();
  setHidden(new Set(kept()));
  form.addEventListener("input", search);
  form.addEventListener("submit", (event) => event.preventDefault());
  for (const button of pager.querySelectorAll("button")) button.addEventListener("click", () => leaf(Number(button.dataset.step)));
  form.hidden = text.size < 2;
  tell();
  goTo(decodeURIComponent(location.hash.slice(1)));
})();
