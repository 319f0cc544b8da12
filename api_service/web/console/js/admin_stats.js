// @ts-check
// The stocks that were served most often, as a table with bars.
import { mostRequested } from "./api.js";
import { el, svg } from "./dom.js";
import { field, form, select } from "./forms.js";
import { whole } from "./format.js";
import { panel } from "./panel.js";
import { go } from "./router.js";
import { table } from "./table.js";

const LIMITS = ["5", "10", "20", "50", "100"];

/**
 * @param {Record<string, string>} query
 * @returns {Node[]}
 */
export function statsPage({ limit = "10", from, to }) {
  const date = (/** @type {string} */ name, /** @type {string | undefined} */ value) => el("input", { type: "date", name, value: value ?? "" });
  const filters = form(
    { class: "filters", role: "search", "aria-label": "Most requested" },
    async (values) => go("/admin/stats", values),
    field("Show", select("limit", LIMITS.map((each) => [each, `the first ${each}`]), limit)),
    field("From", date("from", from)),
    field("To", date("to", to)),
    el("div", { class: "actions" }, el("button", { class: "button primary" }, "Show"), el("a", { class: "button", href: "#/admin/stats" }, "Clear")),
  );
  return [el("div", { class: "toolbar" }, filters), panel(5, () => counts({ limit, from, to })).area, el("p", { class: "hint" }, "Days are those of UTC.")];
}

/** @param {import("./api.js").Query} query */
async function counts(query) {
  const rows = await mostRequested(query);
  if (!rows.length) return [el("p", { class: "empty" }, "Nothing was asked for in this time.")];
  const most = Math.max(...rows.map((row) => row.times_requested));
  const cells = rows.map(({ stock, times_requested: times }) => [stock.toUpperCase(), whole(times), bar(times / most)]);
  return [table("Most requested stocks", ["Stock", "#Requests", "~Compared with the first"], cells)];
}

/** @param {number} share from 0 to 1 */
function bar(share) {
  return svg("svg", { class: "bar-of-count", viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" }, svg("rect", { width: share * 100, height: 10 }));
}
