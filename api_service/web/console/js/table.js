// @ts-check
// A table that scrolls sideways where it does not fit.
import { el } from "./dom.js";

/**
 * @param {string} caption for screen readers
 * @param {string[]} columns a `#` in front: numbers, aligned to the right
 * @param {(Node | string | null)[][]} rows
 */
export function table(caption, columns, rows) {
  const kinds = columns.map((column) => (column.startsWith("#") ? "number" : null));
  const heads = columns.map((column, index) => el("th", { scope: "col", class: kinds[index] }, column.replace("#", "")));
  const body = rows.map((row) => el("tr", {}, ...row.map((cell, index) => el("td", { class: kinds[index] }, cell))));
  return el(
    "div",
    { class: "table", role: "region", "aria-label": caption, tabindex: "0" },
    el("table", {}, el("caption", { class: "visually-hidden" }, caption), el("thead", {}, el("tr", {}, ...heads)), el("tbody", {}, ...body)),
  );
}
