// @ts-check
// A table that scrolls sideways where it does not fit.
import { el } from "./dom.js";

/**
 * @param {string} caption for screen readers
 * @param {string[]} columns a `#` in front: numbers, aligned to the right; a `~`: a head for screen readers only
 * @param {(Node | string | null)[][]} rows
 */
export function table(caption, columns, rows) {
  const kinds = columns.map((column) => (column.startsWith("#") ? "number" : null));
  const heads = columns.map((column, index) => el("th", { scope: "col", class: kinds[index] }, head(column)));
  const body = rows.map((row) => el("tr", {}, ...row.map((cell, index) => el("td", { class: kinds[index] }, cell))));
  return el(
    "div",
    { class: "table", role: "region", "aria-label": caption, tabindex: "0" },
    el("table", {}, el("caption", { class: "visually-hidden" }, caption), el("thead", {}, el("tr", {}, ...heads)), el("tbody", {}, ...body)),
  );
}

/** @param {string} column */
function head(column) {
  return column.startsWith("~") ? el("span", { class: "visually-hidden" }, column.slice(1)) : column.replace("#", "");
}
