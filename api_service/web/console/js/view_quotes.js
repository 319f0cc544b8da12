// @ts-check
// Looking quotes up: one symbol or several, each answered by a card.
import * as api from "./api.js";
import { el } from "./dom.js";
import { field, form } from "./forms.js";
import { counted } from "./format.js";
import { errorNotice, speak } from "./notices.js";
import { quoteCard } from "./quote_card.js";
import { symbolInput } from "./symbol_input.js";
import { knownSymbols, remember, symbolsIn } from "./symbols.js";
import { fillWhenReady } from "./waiting.js";

const RECENT = 8;

/** @returns {import("./main.js").View} */
export function quotesView() {
  const { input, list } = symbolInput({ id: "symbols", name: "symbols", required: true, placeholder: "aapl.us, spy.us" });
  const recent = el("div", { class: "recent", role: "group", "aria-label": "Symbols you looked up before" });
  const results = el("div", { class: "cards" });
  const lookUp = async (/** @type {string} */ text) => {
    await show(results, symbolsIn(text), newKey());
    await showRecent(recent, choose);
  };
  const choose = (/** @type {string} */ symbol) => {
    input.value = symbol;
    whole.requestSubmit();
  };
  const whole = form(
    { class: "look-up", role: "search", "aria-label": "Quotes" },
    ({ symbols }) => lookUp(symbols),
    field("Symbols", input, "One or several, separated by commas. A share in the US looks like aapl.us."),
    list,
    el("button", { class: "button primary" }, "Look up"),
  );
  void showRecent(recent, choose);
  return { title: "Quotes", content: [whole, recent, results], focus: input };
}

/**
 * @param {HTMLElement} results
 * @param {string[]} symbols
 * @param {string} key
 */
async function show(results, symbols, key) {
  try {
    await fillWhenReady(results, Math.min(symbols.length, 6), async () => {
      const found = await api.quotes(symbols, key);
      const quotes = found.filter((entry) => !("error" in entry));
      remember(quotes.map((quote) => quote.symbol));
      speak(`${counted(quotes.length, "quote")} found${quotes.length < found.length ? `, ${found.length - quotes.length} not` : ""}.`);
      return found.map((entry) => slot(entry));
    });
  } catch (error) {
    results.replaceChildren(errorNotice(error, () => show(results, symbols, key)));
  }
}

/**
 * The place of one card, in which a later try takes the place of a failed one.
 * @param {api.Quote | api.Missing} entry
 */
function slot(entry) {
  const place = el("div", { class: "slot" }, quoteCard(entry, () => show(place, [entry.symbol], newKey())));
  return place;
}

const newKey = () => crypto.getRandomValues(new Uint32Array(4)).join("-");

/**
 * @param {HTMLElement} area
 * @param {(symbol: string) => void} choose
 */
async function showRecent(area, choose) {
  const symbols = await knownSymbols().catch(() => []); // a convenience: a failure of the history shows in its own view
  const chips = symbols.slice(0, RECENT).map((symbol) => el("button", { class: "chip", type: "button", onclick: () => choose(symbol) }, symbol));
  area.replaceChildren(...(chips.length ? [el("span", { class: "muted" }, "Recent"), ...chips] : []));
}
