// @ts-check
// The way through a long list: to its newest page, and to the next older one.
import { el } from "./dom.js";
import { addressOf } from "./router.js";

/**
 * @param {string} path
 * @param {Record<string, string>} query what the pages have in common
 * @param {string | undefined} before where this page begins; nothing on the newest
 * @param {string | null} older where the next one does; null on the last
 */
export function pager(path, query, before, older) {
  if (!before && !older) return el("div", {});
  return el(
    "nav",
    { class: "pager", "aria-label": "Pages of the list" },
    link("Newest", before ? addressOf(path, query) : null),
    link("Older", older ? addressOf(path, { ...query, before: older }) : null),
  );
}

/**
 * @param {string} label
 * @param {string | null} address
 */
function link(label, address) {
  return address ? el("a", { class: "button", href: address }, label) : el("span", { class: "button", "aria-disabled": "true" }, label);
}
