"use strict";
// Draws the figures of a hyperparameter search with Plotly, in the page's own colours and for its width.
// A figure's data and layout stand beside it as JSON, in which every string is text already.
(() => {
  const CONFIG = { displayModeBar: false, doubleClick: false, scrollZoom: false, showTips: false, displaylogo: false };
  const PANEL = { width: 210, height: 170, between: 28, below: 62 }; // of slices, in pixels
  const figures = Array.from(document.querySelectorAll(".plots figure"));
  const dark = window.matchMedia("(prefers-color-scheme: dark)");

  function palette() {
    const style = getComputedStyle(document.documentElement);
    const named = (name) => style.getPropertyValue(`--${name}`).trim();
    const found = Object.fromEntries(["paper", "ink", "muted", "hair", "accent", "sans"].map((n) => [n, named(n)]));
    found.way = ["s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7"].map(named);
    return found;
  }

  function channels(hex) {
    return [1, 3, 5].map((start) => Number.parseInt(hex.slice(start, start + 2), 16));
  }

  // From a pale to the full accent: t from 0 to 1.
  function shade(t, colours) {
    const [pale, full] = [channels(colours.hair), channels(colours.accent)];
    return `rgb(${pale.map((from, i) => Math.round(from + (0.15 + 0.85 * t) * (full[i] - from))).join(",")})`;
  }

  // Optuna's own scale runs from rgb(247,251,255) to rgb(8,48,107): its red falls all the way.
  function reshaded(colour, colours) {
    const red = /^rgb\(([\d.]+),/.exec(colour);
    return red ? shade((247 - Number(red[1])) / 239, colours) : colour;
  }

  function axes(layout, letter) {
    return Object.keys(layout).filter((name) => name.startsWith(`${letter}axis`));
  }

  function paint(trace, colours) {
    const marker = trace.marker;
    if (trace.line && trace.line.color) trace.line.color = reshaded(trace.line.color, colours);
    if (!marker || !marker.colorscale) return;
    marker.colorscale = [[0, shade(0, colours)], [1, shade(1, colours)]];
    marker.line = { color: colours.muted, width: 0.5 };
    marker.showscale = false; // the caption says what the colour means
  }

  function dress(layout, colours) {
    Object.assign(layout, {
      autosize: true,
      colorway: colours.way,
      dragmode: false,
      font: { family: colours.sans, size: 12, color: colours.ink },
      hoverlabel: { bgcolor: colours.paper, bordercolor: colours.muted, font: { color: colours.ink } },
      legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" },
      margin: { l: 58, r: 14, t: 14, b: 46 },
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
    });
    for (const name of [...axes(layout, "x"), ...axes(layout, "y")]) {
      Object.assign(layout[name], {
        automargin: true, fixedrange: true, gridcolor: colours.hair, linecolor: colours.hair,
        tickcolor: colours.hair, zerolinecolor: colours.hair,
      });
    }
    for (const shape of layout.shapes || []) shape.line = { ...shape.line, color: colours.hair };
    for (const note of layout.annotations || []) note.font = { ...note.font, color: colours.muted };
  }

  // Slices: as many panels side by side as have room, the others below; values are written at the left only.
  function arrange(layout, width) {
    const [across, up] = [axes(layout, "x"), axes(layout, "y")];
    const room = width - layout.margin.l - layout.margin.r;
    const columns = Math.max(1, Math.min(across.length, Math.floor(room / PANEL.width)));
    const rows = Math.ceil(across.length / columns);
    const height = rows * PANEL.height + (rows - 1) * PANEL.below;
    const [gapX, gapY] = [PANEL.between / room, PANEL.below / height];
    const [wide, tall] = [(1 - (columns - 1) * gapX) / columns, PANEL.height / height];
    const words = layout.yaxis.title;
    across.forEach((name, i) => {
      const [column, row] = [i % columns, Math.floor(i / columns)];
      const [left, top] = [column * (wide + gapX), 1 - row * (tall + gapY)];
      layout[name].domain = [left, left + wide];
      Object.assign(layout[up[i]], {
        domain: [Math.max(0, top - tall), top], showticklabels: column === 0, title: column === 0 ? words : undefined,
      });
    });
    layout.height = height + layout.margin.t + layout.margin.b;
  }

  // A logarithmic axis over more than a decade is marked at powers of ten alone.
  function markDecades(spec) {
    for (const name of axes(spec.layout, "x")) {
      const axis = spec.layout[name];
      axis.exponentformat = "e";
      if (axis.type !== "log") continue;
      const mine = spec.data.filter((trace) => (trace.xaxis || "x") === name.replace("axis", ""));
      const values = mine.flatMap((trace) => trace.x || []).filter((x) => x > 0);
      if (Math.max(...values) > 20 * Math.min(...values)) axis.dtick = 1;
    }
  }

  function fit(figure, spec, width) {
    const layout = spec.layout;
    layout.height = 300;
    if (figure.className === "parallel_coordinates") {
      layout.xaxis.ticklabeloverflow = "allow"; // half of the last name stands beyond the last axis
      layout.margin.r = 66;
    }
    if (figure.className === "folds") {
      layout.xaxis.dtick = 1;
      for (const trace of spec.data) Object.assign(trace, { opacity: 0.6, line: { width: 1.2 }, marker: { size: 4 } });
    }
    if (figure.className === "slices") {
      arrange(layout, width);
      markDecades(spec);
    }
    if (figure.className === "importances") {
      layout.height = 80 + 30 * Math.max(...spec.data.map((trace) => (trace.y || []).length));
      layout.yaxis.title = layout.xaxis.title = undefined;
      layout.margin.r = 40; // a bar's value is written behind it
      Object.assign(layout.xaxis, { nticks: 4, tickangle: 0 });
    }
  }

  // Below this a figure scrolls in its box, in pixels.
  function leastWidth(figure, spec) {
    if (figure.className === "parallel_coordinates") return 130 * (spec.layout.xaxis?.tickvals || []).length;
    if (figure.className !== "importances") return 0;
    const names = spec.data.flatMap((trace) => trace.y || []);
    return 150 + 7 * Math.max(...names.map((name) => String(name).replace(/&#?\w+;/g, "&").length));
  }

  function draw(figure) {
    const spec = JSON.parse(figure.querySelector("script").textContent);
    const target = figure.querySelector(".drawing");
    const colours = palette();
    target.style.minWidth = `${leastWidth(figure, spec)}px`;
    dress(spec.layout, colours);
    for (const trace of spec.data) paint(trace, colours);
    fit(figure, spec, target.clientWidth);
    window.Plotly.react(target, spec.data, spec.layout, CONFIG);
  }

  let width = 0;
  function drawAll() {
    width = document.documentElement.clientWidth;
    figures.forEach(draw);
  }

  let waiting = 0;
  window.addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => { if (width !== document.documentElement.clientWidth) drawAll(); }, 150);
  });
  dark.addEventListener("change", drawAll);
  MEDAL.onChange(drawAll);
  drawAll();
})();
