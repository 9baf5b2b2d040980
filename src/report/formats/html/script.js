// Searches, filters and sorts the rows that are already in the page.
"use strict";
(() => {
  const table = document.getElementById("rows");
  if (!table) return;
  const [search, status, shown, tools] = ["search", "status", "shown", "tools"].map((id) => document.getElementById(id));
  const body = table.tBodies[0];
  const all = Array.from(body.rows, (row) => {
    const cells = Array.from(row.cells, (cell) => cell.textContent);
    return { row, cells, text: cells.join("\n").toLowerCase() };
  });
  const STATUS = 4;

  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const { row, cells, text } of all) {
      const fits = (!status.value || cells[STATUS] === status.value) && words.every((word) => text.includes(word));
      row.hidden = !fits;
      count += fits;
    }
    shown.textContent = `${count.toLocaleString("en")} of ${all.length.toLocaleString("en")} rows`;
  };

  const names = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });
  const sort = (head) => {
    const column = head.cellIndex;
    const falls = head.getAttribute("aria-sort") === "ascending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", falls ? "descending" : "ascending");
    const sign = falls ? -1 : 1;
    const compare = column < 2
      ? (one, other) => one.cells[column] - other.cells[column]
      : (one, other) => names.compare(one.cells[column], other.cells[column]);
    all.sort((one, other) => sign * compare(one, other));
    body.append(...all.map(({ row }) => row));
  };

  for (const head of table.tHead.rows[0].cells) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    button.addEventListener("click", () => sort(head));
    head.append(button);
  }
  let waiting = 0;
  search.addEventListener("input", () => {
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(filter);
  });
  status.addEventListener("change", filter);
  tools.hidden = false;
  filter();
})();
