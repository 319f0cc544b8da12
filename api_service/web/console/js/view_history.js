// @ts-check
// What the user was served, the latest first: filter, chart of one symbol, table in pages, CSV.
import * as api from "./api.js";
import { downloadCsv } from "./csv_download.js";
import { el } from "./dom.js";
import { field, form } from "./forms.js";
import { counted, moment, price } from "./format.js";
import { pager } from "./pager.js";
import { panel } from "./panel.js";
import { priceChart } from "./price_chart.js";
import { addressOf, go } from "./router.js";
import { symbolInput } from "./symbol_input.js";
import { endOfDay, startOfDay } from "./days.js";
import { table } from "./table.js";

const PAGE = 50;
const ON_CHART = 500;

/**
 * @param {import("./router.js").Place} place `query` has symbol, from, to (days as the reader's calendar has them) and before
 * @returns {import("./main.js").View}
 */
export function historyView({ query }) {
  const filter = { symbol: query.symbol ?? "", from: startOfDay(query.from), to: endOfDay(query.to) };
  const rows = panel(6, () => entries(query, filter)).area;
  const chart = filter.symbol ? [panel(2, () => chartOf(filter)).area] : [];
  return { title: "History", content: [filterForm(query, filter), ...chart, rows] };
}

/**
 * @param {Record<string, string>} query
 * @param {api.Query} filter
 */
function filterForm(query, filter) {
  const { input, list } = symbolInput({ id: "symbol", name: "symbol", value: query.symbol ?? "", placeholder: "any" });
  const date = (/** @type {string} */ name) => el("input", { type: "date", name, value: query[name] ?? "" });
  const csv = form(
    { class: "export" },
    () => downloadCsv(filter),
    el("button", { class: "button" }, "Download CSV"),
  );
  const filters = form(
    { class: "filters", role: "search", "aria-label": "History" },
    async ({ symbol, from, to }) => go("/history", { symbol: symbol.trim().toLowerCase(), from, to }),
    field("Symbol", input),
    list,
    field("From", date("from")),
    field("To", date("to")),
    el("div", { class: "actions" }, el("button", { class: "button primary" }, "Show"), el("a", { class: "button", href: "#/history" }, "Clear")),
  );
  return el("div", { class: "toolbar" }, filters, csv);
}

/**
 * @param {Record<string, string>} query
 * @param {api.Query} filter
 */
async function entries(query, filter) {
  const page = await api.history({ ...filter, limit: PAGE, before: query.before });
  const isFiltered = Boolean(filter.symbol || filter.from || filter.to);
  if (!page.rows.length) return [nothing(isFiltered)];
  const { before: _, ...kept } = query;
  const count = page.total === null ? null : el("p", { class: "muted", role: "status" }, `${counted(page.total, "entry", "entries")}${isFiltered ? " for this filter" : ""}`);
  return [
    ...(count ? [count] : []),
    table("Your history", ["When", "Stock", "#Price", "#Open", "#High", "#Low"], page.rows.map(cells)),
    pager("/history", kept, query.before, page.older),
  ];
}

/** @param {api.HistoryEntry} entry */
function cells({ date, symbol, name, open, high, low, close }) {
  const stock = el("span", { class: "stock" }, el("a", { href: addressOf("/history", { symbol: symbol.toLowerCase() }) }, symbol), el("span", { class: "muted" }, name));
  return [moment(date), stock, el("strong", {}, price(close)), price(open), price(high), price(low)];
}

/** @param {boolean} isFiltered */
function nothing(isFiltered) {
  return isFiltered
    ? el("p", { class: "empty" }, "Nothing in your history matches. ", el("a", { href: "#/history" }, "Show all of it"), ".")
    : el("p", { class: "empty" }, "Every quote that you look up is kept here. ", el("a", { href: "#/quotes" }, "Look one up"), ".");
}

/** @param {api.Query} filter */
async function chartOf(filter) {
  const { rows } = await api.history({ ...filter, limit: ON_CHART });
  return rows.length > 1 ? [priceChart(String(filter.symbol).toUpperCase(), rows.reverse())] : [];
}
