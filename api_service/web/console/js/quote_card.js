// @ts-check
// One quote as a card, or why there is none.
import { el } from "./dom.js";
import { moment, price, signed, whole } from "./format.js";
import { entryInWords } from "./problems.js";
import { rangeBar } from "./range_bar.js";
import { addressOf } from "./router.js";

/**
 * @param {import("./api.js").Quote | import("./api.js").Missing} entry
 * @param {() => void} retry asks for this one again
 * @returns {HTMLElement}
 */
export function quoteCard(entry, retry) {
  return "error" in entry ? missingCard(entry, retry) : foundCard(entry);
}

/** @param {import("./api.js").Quote} quote */
function foundCard(quote) {
  const currency = quote.currency && el("span", { class: "currency" }, ` ${quote.currency}`);
  return el(
    "article",
    { class: "card quote", "aria-label": quote.symbol },
    el("header", {}, el("h2", {}, quote.symbol), badges(quote), el("p", { class: "muted" }, quote.name)),
    el("p", { class: "price" }, price(quote.close), currency),
    change(quote),
    rangeBar(quote),
    el("dl", { class: "facts" }, ...facts(quote)),
    el("a", { href: addressOf("/history", { symbol: quote.symbol.toLowerCase() }) }, `Your history of ${quote.symbol}`),
  );
}

/**
 * @param {import("./api.js").Missing} entry
 * @param {() => void} retry
 */
function missingCard({ symbol, error }, retry) {
  const { title, advice } = entryInWords(error);
  const isUnknown = error.type === "/problems/symbol-not-found"; // asking again would not help
  return el(
    "article",
    { class: "card quote missing", "aria-label": symbol },
    el("header", {}, el("h2", {}, symbol), el("p", { class: "badges" }, el("span", { class: "badge bad" }, "no quote"))),
    el("p", {}, el("strong", {}, `${title}.`), " ", advice),
    !isUnknown && el("p", {}, el("button", { class: "button small", type: "button", onclick: retry }, "Try again")),
  );
}

/**
 * Against the open: the close of the day before is not part of a quote.
 * @param {import("./api.js").Quote} quote
 */
function change({ open, close }) {
  const difference = close - open;
  const direction = difference > 0 ? "up" : difference < 0 ? "down" : "level";
  const arrow = { up: "▲", down: "▼", level: "■" }[direction];
  const percent = open ? ` (${signed((difference / open) * 100)} %)` : "";
  return el(
    "p",
    { class: `change ${direction}` },
    el("span", { "aria-hidden": "true" }, `${arrow} `),
    `${signed(difference)}${percent}`,
    el("span", { class: "muted" }, " since the open"),
  );
}

/** @param {import("./api.js").Quote} quote */
function badges({ stale, source }) {
  const shown = [
    stale && el("span", { class: "badge warn", title: "Every provider fails: this is the last quote that was read" }, "stale"),
    source === "recorded" && el("span", { class: "badge", title: "From the table of recorded quotes, not from a market" }, "recorded"),
  ];
  return el("p", { class: "badges" }, ...shown);
}

/** @param {import("./api.js").Quote} quote */
function facts({ open, volume, source, as_of: asOf }) {
  /** @type {[string, Node | string][]} */
  const pairs = [
    ["Open", price(open)],
    ["Volume", volume === null ? "not known" : whole(volume)],
    ["Source", source],
    ["As of", moment(asOf)],
  ];
  return pairs.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value)));
}
