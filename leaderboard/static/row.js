"use strict";
// A row of the ranking as elements, the same as those that the page brings for its first rows.
// Every word from data.js becomes text or an attribute's value, never markup.
window.rowOf = (() => {
  const { columns, words, states, routes, places: sure } = window.BOARD;
  const SVG = "http://www.w3.org/2000/svg";
  const places = new Map(columns.filter(({ kind }) => kind === "value" || kind === "scored").map(({ key }, k) => [key, k]));

  function made(name, { className, lang, title } = {}, ...children) {
    const element = document.createElement(name);
    if (className) element.className = className;
    if (lang) element.lang = lang;
    if (title) addTip(element, title);
    element.append(...children);
    return element;
  }

  function addTip(element, title) {
    const [english, korean] = Array.isArray(title) ? title : [title, title];
    element.title = MEDAL.now.lang === "ko" ? korean : english;
    if (korean !== english) Object.assign(element.dataset, { koTitle: korean, enTitle: english });
  }

  const said = (text) => MEDAL.spans(text);
  const small = (className, ...children) => made("small", { className }, ...children);

  function own(text) {
    return made("bdi", {}, ...said(text));
  }

  function drawn(name, attributes) {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  }

  function plot([dot, line]) {
    const svg = drawn("svg", { viewBox: "0 0 180 18", "aria-hidden": "true" });
    svg.append(drawn("use", { href: "#grid" }));
    if (line) svg.append(drawn("path", { d: line }));
    svg.append(drawn("circle", { cx: dot, cy: 9, r: 3.5 }));
    return svg;
  }

  function entry(row) {
    const link = made("a", {}, own(row.team));
    link.href = `entries/${row.id}.html`;
    const cell = made("th", { className: "entry" }, link, small("", own(row.title)));
    cell.scope = "row";
    if (row.reproduced) cell.append(small("", made("span", { className: "tag" }, ...said(row.reproduced))));
    if (row.tuned) cell.append(small("", made("span", { className: "tag" }, ...said(row.tuned))));
    if (row.words) cell.append(small("", made("code", {}, own(row.words))));
    if (row.earlier) cell.append(small("", ...MEDAL.spans(row.earlier === 1 ? words.earlier_one : words.earlier, { n: row.earlier })));
    if (row.note) cell.append(small("note", ...said(row.note)));
    return cell;
  }

  function number([text = "", span = "", exact = ""], style, ...more) {
    const cell = made("td", { className: style ? `num ${style}` : "num", title: exact }, ...said(text));
    if (span) cell.append(small("", ...said(span)));
    cell.append(...more);
    return cell;
  }

  function route(row) {
    const cell = made("td", { className: "words" }, ...said(routes[row.route]));
    if (row.isolation) cell.append(small("", own(row.isolation)));
    if (row.folds) cell.append(small("", ...said(row.folds)));
    return cell;
  }

  // What the rank interval and the tie group are, or why there is none, in both languages.
  function placeOf({ span, group, unsure = "" }) {
    if (!span) return unsure;
    const [english, korean] = group ? sure.tied : sure.alone;
    const filled = (text) => text.replace(/\{(\w+)\}/g, (_, name) => ({ span, group, resamples: sure.resamples })[name]);
    return [filled(english), filled(korean)];
  }

  function cellOf(row, { key, kind, style }) {
    if (kind === "rank") return number([row.rank, row.span, placeOf(row)], "rank");
    if (kind === "entry") return entry(row);
    if (kind === "plot") return made("td", { className: "plot" }, ...(row.plot ? [plot(row.plot)] : []));
    if (kind === "route") return route(row);
    const value = row.values[places.get(key)];
    if (kind === "scored") return number(value, "", small(row.reason ? "state" : "", ...said(states[row.state])));
    const cell = number(value, style);
    if (key === "shift" && "places" in row) cell.dataset.v = row.places;
    return cell;
  }

  function reason(row, metric) {
    const cell = made("td", { className: "reason" }, own(row.reason));
    if (row.aside) {
      const [text, span] = row.aside;
      cell.append(small("", ...said(metric), `: ${text}${span ? ` (${span})` : ""}`));
    }
    return cell;
  }

  // `middle` columns stand between the entry and the end: an unranked row has its reason there.
  function rowOf(row, ranked) {
    const element = made("tr", { className: ranked ? "" : "unranked" });
    element.id = row.id;
    for (const column of columns) {
      if (ranked || column.key === "rank" || column.key === "entry" || column.end) {
        const cell = cellOf(row, column);
        cell.dataset.key = column.key;
        element.append(cell);
      } else if (column.more) {
        const empty = made("td", { className: "more" });
        empty.dataset.key = column.key;
        element.append(empty);
      } else if (column.key === "main") {
        element.append(reason(row, window.BOARD.aside));
      }
    }
    return element;
  }

  function heading() {
    const title = made("th", {}, ...said(words.not_ranked));
    title.scope = "rowgroup";
    return made("tr", { className: "break" }, made("td"), title);
  }

  // What a row is sorted by in a column: its data-v, the first number of all its digits, or its text.
  function keyOf(row, column, numeric) {
    if (column.kind === "entry") return row.team;
    if (column.kind === "route") return row.route;
    if (column.key === "shift") return row.places ?? Number.NaN;
    const [text = "", , exact = ""] = column.kind === "rank" ? [row.rank] : row.values[places.get(column.key)];
    const [shown] = [exact || text].flat();
    return numeric ? Number.parseFloat(shown.replace("\u2212", "-")) : shown;
  }

  return Object.assign(rowOf, { heading, keyOf });
})();
