"use strict";
// Sorts the tables that are already on the page, such as the trials; without it they are still readable.
// A cell's number is its data-v, or the first number of its title (all digits), or of its text.
(() => {
  const names = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

  function numberIn(cell) {
    const text = cell.dataset.v || cell.dataset.enTitle || cell.title || cell.textContent;
    return Number.parseFloat(text.replace("\u2212", "-"));
  }

  function compareNumbers(a, b, sign) {
    if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b); // missing is last, both ways
    return sign * (a - b);
  }

  function makeSortable(table) {
    const body = table.tBodies[0];
    const rows = Array.from(body.rows);
    const place = new Map(rows.map((row, index) => [row, index]));

    function sortBy(header, descending) {
      const column = header.cellIndex;
      const sign = descending ? -1 : 1;
      const numeric = header.dataset.sort === "number";
      const key = new Map(rows.map((row) => {
        const cell = row.cells[column];
        return [row, numeric ? numberIn(cell) : cell.textContent.trim()];
      }));
      rows.sort((a, b) => {
        const [x, y] = [key.get(a), key.get(b)];
        const order = numeric ? compareNumbers(x, y, sign) : sign * names.compare(x, y);
        return order || place.get(a) - place.get(b);
      });
      body.append(...rows);
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      header.setAttribute("aria-sort", descending ? "descending" : "ascending");
    }

    for (const header of table.tHead.querySelectorAll("th[data-sort]")) {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...header.childNodes);
      header.append(button);
      button.addEventListener("click", () => {
        const now = header.getAttribute("aria-sort");
        sortBy(header, now === null ? header.dataset.sort === "number" : now === "ascending");
      });
    }
  }

  for (const table of document.querySelectorAll("table.sortable")) makeSortable(table);
})();
