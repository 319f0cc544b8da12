// @ts-check
// The symbols that the user knows already, from the history: suggestions for the next look-up.
import { history } from "./api.js";
import { currentUser } from "./session.js";

const LOOKED_AT = 200; // entries: enough to know a person's habits
/** @type {{of: number | undefined, symbols: string[]}} */
let known = { of: undefined, symbols: [] };

/**
 * The latest first; asked for once for each user.
 * @returns {Promise<string[]>}
 */
export async function knownSymbols() {
  const id = currentUser()?.id;
  if (known.of !== id) {
    const { rows } = await history({ limit: LOOKED_AT });
    known = { of: id, symbols: distinct(rows.map((row) => row.symbol)) };
  }
  return known.symbols;
}

/** @param {string[]} symbols that were found just now */
export function remember(symbols) {
  known = { ...known, symbols: distinct([...symbols, ...known.symbols]) };
}

/**
 * The codes in what somebody typed: separated by commas, semicolons or blanks.
 * @param {string} text
 */
export const symbolsIn = (text) => distinct(text.split(/[\s,;]+/).filter(Boolean));

/** @param {string[]} symbols */
const distinct = (symbols) => [...new Set(symbols.map((symbol) => symbol.toLowerCase()))];
