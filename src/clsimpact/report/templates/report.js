"use strict";
// Without this script the page says the same. It sorts tables, keeps values inside the drawing, and opens what is linked to.
function sortBy(table, column, up) {
  const body = table.tBodies[0];
  const key = row => {
    const cell = row.cells[column];
    const raw = cell.dataset.sort;
    return raw === undefined ? cell.textContent.trim().toLowerCase() : Number(raw);
  };
  const rows = Array.from(body.rows);
  rows.sort((one, other) => {
    const a = key(one), b = key(other);
    if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
    const order = a < b ? -1 : a > b ? 1 : 0;
    return up ? order : -order;
  });
  rows.forEach(row => body.appendChild(row));
}
document.querySelectorAll("div.table table").forEach(table => {
  Array.from(table.tHead.rows[0].cells).forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      Array.from(table.tHead.rows[0].cells).forEach(other => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      sortBy(table, column, up);
    });
  });
});
document.querySelectorAll(".spot").forEach(spot => {
  if (parseFloat(spot.style.left) > 60) spot.classList.add("left");
});
function openAround(id) {
  const target = document.getElementById(id);
  for (let at = target; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
  if (target) target.scrollIntoView();
}
window.addEventListener("hashchange", () => openAround(decodeURIComponent(location.hash.slice(1))));
let opened = [];
window.addEventListener("beforeprint", () => {
  opened = Array.from(document.querySelectorAll("details:not([open])"));
  opened.forEach(it => { it.open = true; });
});
window.addEventListener("afterprint", () => opened.forEach(it => { it.open = false; }));
