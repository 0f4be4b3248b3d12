"use strict";
// Puts two entries side by side: their scores from data.js and, where they were compared case by case, the
// difference with its interval and p, and the cases that decide it, from pairs.js. All words become text.
(() => {
  const { columns, ranked, compare } = window.BOARD;
  const { pairs = {} } = window.PAIRS || {};
  const SVG = "http://www.w3.org/2000/svg";
  const form = document.querySelector("form.compare");
  const [found, deciding, same] = [".found", ".deciding", ".same"].map((name) => document.querySelector(name));
  const { a: first, b: second } = form.elements;
  const byId = new Map(ranked.map((row) => [row.id, row]));
  const measured = columns.filter(({ kind }) => kind === "value" || kind === "scored")
    .map((column, place) => ({ ...column, place })).filter(({ metric }) => metric);

  function made(name, className, ...children) {
    const element = document.createElement(name);
    if (className) element.className = className;
    element.append(...children);
    return element;
  }

  const own = (text) => made("bdi", "", text);
  const cell = (className, ...children) => made("td", className, ...children);

  // Enough digits to tell the difference from zero, and no more than a score has.
  function shown(value, digits) {
    if (value === null || Number.isNaN(value)) return "–";
    const text = value.toFixed(digits);
    return (Number(text) === 0 ? text.replace("-", "") : text).replace("-", "\u2212");
  }

  const signed = (value, digits) => (value > 0 && Number(value.toFixed(digits)) > 0 ? "+" : "") + shown(value, digits);

  function drawn(name, attributes) {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  }

  // Zero stands in the middle; the whisker's further end at the edge.
  function whisker([value, low, high]) {
    const reach = Math.max(Math.abs(low), Math.abs(high), Math.abs(value)) || 1;
    const at = (x) => 90 + (84 * x) / reach;
    const svg = drawn("svg", { viewBox: "0 0 180 18", "aria-hidden": "true" });
    svg.append(drawn("path", { class: "reference", d: "M90 0V18" }), drawn("path", { d: `M${at(low)} 9H${at(high)}` }));
    svg.append(drawn("circle", { cx: at(value), cy: 9, r: 3.5 }));
    return svg;
  }

  // A comparison is stored once; the other way round its signs change.
  function pairOf(a, b) {
    const [there, back] = [pairs[`${a} ${b}`], pairs[`${b} ${a}`]];
    if (there || !back) return there;
    const turned = ([value, low, high, p]) => [-value, high === null ? null : -high, low === null ? null : -low, p];
    return {
      metric: back.metric,
      differences: Object.fromEntries(Object.entries(back.differences).map(([key, found]) => [key, turned(found)])),
      cases: back.cases.map(([name, x, y]) => [name, y, x]),
    };
  }

  const exact = (value) => Number.parseFloat(([value[2] || value[0]].flat()[0] || "").replace("\u2212", "-"));

  function line(column, a, b, pair) {
    const { title, half, halfWords, metric, digits, higher } = column;
    const [left, right] = [a.values[column.place] || [], b.values[column.place] || []];
    const gap = exact(left) - exact(right);
    const paired = pair?.differences[`${metric} ${half}`];
    const name = made("th", "", ...MEDAL.spans(title), made("small", "", ...MEDAL.spans(halfWords)));
    name.scope = "row";
    const side = (value, wins) => cell(wins ? "num wins" : "num", value[0] || "–", ...(value[1] ? [made("small", "", value[1])] : []));
    const whole = paired && paired.every((value) => value !== null);
    return made("tr", "", name,
      side(left, higher ? gap > 0 : gap < 0), side(right, higher ? gap < 0 : gap > 0),
      cell("num", signed(paired?.[0] ?? gap, digits)),
      cell("plot", ...(whole ? [whisker(paired), made("small", "", `${signed(paired[1], digits)} – ${signed(paired[2], digits)}`)] : ["–"])),
      cell("num", paired ? (paired[3] < 0.001 ? "< 0.001" : shown(paired[3], 3)) : "–"));
  }

  function caseLine([name, x, y], higher, a, b) {
    const header = made("th", "", own(name));
    header.scope = "row";
    const better = (higher ? x > y : x < y) ? a : b;
    return made("tr", "", header, cell("num", shown(x, 3)), cell("num", shown(y, 3)), cell("num", signed(x - y, 3)), cell("", own(better.team)));
  }

  function head(section, a, b) {
    for (const [name, row] of [["first", a], ["second", b]]) {
      const link = made("a", "", own(row.team));
      link.href = `entries/${row.id}.html`;
      section.querySelector(`th.${name}`).replaceChildren(link, made("small", "", own(row.title)));
    }
  }

  function show() {
    const [a, b] = [byId.get(first.value), byId.get(second.value)];
    const differ = a !== b;
    [found.hidden, same.hidden, deciding.hidden] = [!differ, differ, true];
    location.replace(`#a=${a.id}&b=${b.id}`);
    if (!differ) return;
    const pair = pairOf(a.id, b.id);
    head(found, a, b);
    found.querySelector("tbody").replaceChildren(...measured.map((column) => line(column, a, b, pair)));
    found.querySelector(".paired").hidden = !pair;
    found.querySelector(".unpaired").hidden = Boolean(pair);
    if (pair?.cases.length) showCases(pair, a, b);
    MEDAL.keepInLinks();
  }

  function showCases(pair, a, b) {
    const { title: metric, higher } = compare.metrics[pair.metric];
    head(deciding, a, b);
    deciding.querySelector("p").replaceChildren(...MEDAL.spans(compare.words.deciding_lead, { metric }));
    deciding.querySelector("tbody").replaceChildren(...pair.cases.map((item) => caseLine(item, higher, a, b)));
    deciding.hidden = false;
  }

  function options() {
    return ranked.map(({ id, rank, team, title }) => Object.assign(document.createElement("option"), {
      value: id, textContent: `${rank} · ${team}: ${title}`.slice(0, 120),
    }));
  }

  first.append(...options());
  second.append(...options());
  const asked = new URLSearchParams(location.hash.slice(1));
  const known = (id, otherwise) => (byId.has(id) ? id : otherwise.id);
  first.value = known(asked.get("a"), ranked[0]);
  second.value = known(asked.get("b"), first.value === ranked[0].id ? ranked[1] : ranked[0]);
  form.addEventListener("change", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.querySelector("button").addEventListener("click", () => {
    [first.value, second.value] = [second.value, first.value];
    show();
  });
  form.hidden = false;
  show();
})();
