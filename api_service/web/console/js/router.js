// @ts-check
// Which view the address asks for: everything behind `#`, as in #/history?symbol=aapl.us.

/**
 * @typedef {{path: string, query: Record<string, string>}} Place
 */

/** @returns {Place} */
export function place() {
  const [path, query = ""] = location.hash.replace(/^#/, "").split("?");
  return { path: path || "/quotes", query: Object.fromEntries(new URLSearchParams(query)) };
}

/**
 * The address of a view; empty values are left out.
 * @param {string} path
 * @param {Record<string, string | null | undefined>} [query]
 */
export function addressOf(path, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value);
  const text = new URLSearchParams(/** @type {[string, string][]} */ (given)).toString();
  return text ? `#${path}?${text}` : `#${path}`;
}

/**
 * Show a view; when it is shown already, anew.
 * @param {string} path
 * @param {Record<string, string | null | undefined>} [query]
 */
export function go(path, query) {
  const address = addressOf(path, query);
  if (location.hash === address) dispatchEvent(new HashChangeEvent("hashchange"));
  else location.hash = address;
}
