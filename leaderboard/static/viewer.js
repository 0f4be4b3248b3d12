"use strict";
// Three planes through a case, the truth outlined, the prediction filled. A picture holds axial slices, row by row; the
// other planes are drawn from its rows and columns. No pixel is read back, which file:// forbids: labels are numbers.
(() => {
  const SIDES = ["truth", "prediction"];
  const [SHARPEST, LONGEST, FILL] = [4, 720, 95]; // pixels a mm, pixels of the longest side; opacity of 255
  const root = document.querySelector(".viewer");
  const { labels, words } = JSON.parse(root.querySelector("script[type='application/json']").textContent);
  const articles = root.querySelectorAll(".case");
  const boxes = Array.from(root.querySelectorAll("input[data-side]"));
  const [readout, cross] = [root.querySelector(".readout"), root.querySelector("input[name='cross']")];
  const panes = Array.from(root.querySelectorAll(".pane"), (figure) => ({
    axes: ["across", "down", "through"].map((name) => Number(figure.dataset[name])),
    canvas: figure.querySelector("canvas"), number: figure.querySelector("output"), slider: figure.querySelector("input"),
  }));
  const [small, mosaic] = panes.map(() => document.createElement("canvas"));
  const cases = new Map();
  let [shown, at] = [null, [0, 0, 0]]; // the case that is drawn, and the voxel in which its planes meet
  let [asked, waiting] = [0, 0]; // the newest wish wins, whatever loads first; the frame to come

  const fetched = (element, src) => new Promise((done, failed) => {
    const onerror = () => failed(new Error(`${src} cannot be read`));
    Object.assign(element, { onload: () => done(element), onerror, src });
    if (element.tagName === "SCRIPT") document.head.append(element);
  });

  // A label map on the whole grid that is shown, x fastest.
  async function unpacked({ start, size, deflated }, [wide, tall, deep]) {
    const packed = Uint8Array.from(atob(deflated), (char) => char.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
    const inside = new Uint8Array(await new Response(stream).arrayBuffer());
    const whole = new Uint8Array(wide * tall * deep);
    for (let row = 0; row < size[1] * size[2]; row++) {
      const [y, z] = [start[1] + (row % size[1]), start[2] + Math.floor(row / size[1])];
      whole.set(inside.subarray(row * size[0], (row + 1) * size[0]), start[0] + wide * (y + tall * z));
    }
    return whole;
  }

  async function loaded(n) {
    await fetched(document.createElement("script"), articles[n].dataset.script);
    const found = { ...window.SLICES[n], drawn: [] };
    for (const side of SIDES) found[side] = await unpacked(found[side], found.size);
    return found;
  }

  async function open() {
    const wish = ++asked;
    const [n, k] = ["case", "picture"].map((name) => Number(root.querySelector(`input[name='${name}']:checked`).value));
    articles.forEach((article, i) => { article.hidden = i !== n; });
    try {
      if (!cases.has(n)) cases.set(n, loaded(n));
      const found = await cases.get(n);
      found.drawn[k] ||= fetched(new Image(), found.pictures[k]);
      const picture = await found.drawn[k];
      if (wish !== asked) return;
      [mosaic.width, mosaic.height] = [picture.naturalWidth, picture.naturalHeight];
      mosaic.getContext("2d").drawImage(picture, 0, 0);
      if (shown !== found) place(found);
      draw();
    } catch (error) {
      if (wish !== asked) return;
      shown = null;
      for (const { canvas } of panes) canvas.width = 0;
      readout.replaceChildren(...MEDAL.spans(words.broken, { why: error.message }));
    }
  }

  function place(found) {
    [shown, at] = [found, found.at.slice()];
    const sides = found.size.map((n, axis) => n * found.spacing[axis]); // mm
    const scale = Math.min(SHARPEST, LONGEST / Math.max(...sides));
    for (const { axes: [across, down, through], canvas, slider } of panes) {
      [canvas.width, canvas.height] = [across, down].map((axis) => Math.max(1, Math.round(sides[axis] * scale)));
      canvas.closest(".pane").style.setProperty("--wide", canvas.width);
      const [, first, step] = found.index[through]; // of the file's own slices
      const ends = [first, first + step * (found.size[through] - 1)];
      [slider.min, slider.max] = [Math.min(...ends), Math.max(...ends)];
    }
  }

  function drawGrey([across, down, through]) {
    const { start, size: [x, y, z], columns } = shown.image;
    const context = small.getContext("2d");
    [small.width, small.height] = [shown.size[across], shown.size[down]]; // which clears it
    const depth = at[through] - start[through];
    if (depth < 0 || depth >= [x, y, z][through]) return;
    if (through === 0) context.setTransform(0, 1, 1, 0, 0, 0); // a column of a slice becomes a row
    for (let k = through === 2 ? depth : 0; k < (through === 2 ? depth + 1 : z); k++) {
      const [left, top] = [(k % columns) * x, Math.floor(k / columns) * y];
      if (through === 2) context.drawImage(mosaic, left, top, x, y, start[0], start[1], x, y);
      if (through === 1) context.drawImage(mosaic, left, top + depth, x, 1, start[0], start[2] + k, x, 1);
      if (through === 0) context.drawImage(mosaic, left + depth, top, 1, y, start[2] + k, start[1], 1, y);
    }
  }

  // The labels of one side in a plane, row by row: 0 where its box is not ticked.
  function cut(side, [across, down, through]) {
    const on = new Set(boxes.filter((box) => box.dataset.side === side && box.checked).map((box) => Number(box.value)));
    const [wide, steps] = [shown.size[across], [1, shown.size[0], shown.size[0] * shown.size[1]]];
    return Uint8Array.from({ length: wide * shown.size[down] }, (_, i) => {
      const place = (i % wide) * steps[across] + Math.floor(i / wide) * steps[down] + at[through] * steps[through];
      return on.has(shown[side][place]) ? shown[side][place] : 0;
    });
  }

  function drawFill(plane, context, canvas) {
    const pixels = new ImageData(small.width, small.height);
    plane.forEach((label, i) => {
      const stripe = labels[label]?.hatched && ((i % small.width) + Math.floor(i / small.width)) % 3 === 0;
      if (label) pixels.data.set([...labels[label].rgb, stripe ? 2 * FILL : FILL], 4 * i);
    });
    small.getContext("2d").putImageData(pixels, 0, 0); // which replaces what was there
    context.imageSmoothingEnabled = false;
    context.drawImage(small, 0, 0, canvas.width, canvas.height);
  }

  // Each label has a line along the inside of its own voxels, so that neighbours' lines lie side by side.
  function drawOutline(plane, context, canvas) {
    const [wide, fx, fy] = [small.width, canvas.width / small.width, canvas.height / small.height];
    for (const [value, { colour }] of Object.entries(labels)) {
      const lines = new Path2D();
      const line = (x, y, u, v) => { lines.moveTo(x, y); lines.lineTo(u, v); };
      plane.forEach((label, i) => {
        if (label !== Number(value)) return;
        const [column, row] = [i % wide, Math.floor(i / wide)];
        const [left, top, right, bottom] = [column * fx + 1, row * fy + 1, (column + 1) * fx - 1, (row + 1) * fy - 1];
        if (column === 0 || plane[i - 1] !== label) line(left, top, left, bottom);
        if (column === wide - 1 || plane[i + 1] !== label) line(right, top, right, bottom);
        if (plane[i - wide] !== label) line(left, top, right, top);
        if (plane[i + wide] !== label) line(left, bottom, right, bottom);
      });
      for (const [lineWidth, strokeStyle] of [[4, "rgba(0, 0, 0, .4)"], [2, colour]]) {
        Object.assign(context, { lineWidth, strokeStyle, lineCap: "square" }).stroke(lines);
      }
    }
  }

  function drawCross([across, down], context, { width, height }) {
    const [x, y] = [across, down].map((axis) => (at[axis] + 0.5) / shown.size[axis]);
    context.fillStyle = "rgba(255, 255, 255, .5)";
    for (const line of [[x * width, 0, 1, height], [0, y * height, width, 1]]) context.fillRect(...line.map(Math.round));
  }

  function draw() {
    if (!shown) return;
    const file = [];
    for (const [k, [axis, first, step]] of shown.index.entries()) file[axis] = first + step * at[k];
    for (const { axes, canvas, number, slider } of panes) {
      const context = canvas.getContext("2d");
      drawGrey(axes);
      context.imageSmoothingEnabled = true;
      context.clearRect(0, 0, canvas.width, canvas.height);
      context.drawImage(small, 0, 0, canvas.width, canvas.height);
      drawFill(cut("prediction", axes), context, canvas);
      drawOutline(cut("truth", axes), context, canvas);
      if (cross.checked) drawCross(axes, context, canvas);
      slider.value = number.textContent = file[shown.index[axes[2]][0]];
    }
    const voxel = at[0] + shown.size[0] * (at[1] + shown.size[1] * at[2]);
    const [truth, prediction] = SIDES.map((side) => labels[shown[side][voxel]]?.name ?? words.nothing);
    readout.replaceChildren(...MEDAL.spans(words.readout, { at: file.join(", "), truth, prediction }));
  }

  function move(axis, index) {
    at[axis] = Math.max(0, Math.min(shown.size[axis] - 1, index));
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(draw);
  }

  function toggle(side) {
    const mine = boxes.filter((box) => box.dataset.side === side);
    const on = mine.some((box) => !box.checked);
    for (const box of mine) box.checked = on;
    draw();
  }

  for (const { axes: [across, down, through], canvas, slider } of panes) {
    canvas.onpointerdown = canvas.onpointermove = (event) => {
      if (!shown || !event.buttons) return;
      if (event.type === "pointerdown") canvas.setPointerCapture(event.pointerId);
      const { left, top, width, height } = canvas.getBoundingClientRect();
      move(across, Math.floor(((event.clientX - left) / width) * shown.size[across]));
      move(down, Math.floor(((event.clientY - top) / height) * shown.size[down]));
    };
    slider.oninput = () => shown && move(through, (slider.value - shown.index[through][1]) * shown.index[through][2]);
  }
  root.addEventListener("change", ({ target: { type } }) => {
    if (type !== "range") (type === "radio" ? open : draw)();
  });
  for (const button of root.querySelectorAll("button[data-side]")) button.onclick = () => toggle(button.dataset.side);
  root.addEventListener("keydown", ({ key, ctrlKey, metaKey, altKey }) => {
    const side = { t: "truth", p: "prediction" }[key];
    if (side && !ctrlKey && !metaKey && !altKey) toggle(side);
  });
  for (const { style, dataset } of root.querySelectorAll("[data-label]")) style.setProperty("--colour", labels[dataset.label].colour);
  for (const part of root.querySelectorAll("[data-live]")) part.hidden = false;
  open();
})();
