// @ts-check
// The calls of the API that the pages make, and what they answer.
import { call } from "./session.js";

/**
 * @typedef {{symbol: string, name: string, open: number, high: number, low: number, close: number, volume: number | null,
 *   currency: string | null, source: string, as_of: string, fetched_at: string, stale: boolean}} Quote
 * @typedef {{symbol: string, error: {type: string, title: string}}} Missing
 * @typedef {{date: string, symbol: string, name: string, open: number, high: number, low: number, close: number}} HistoryEntry
 * @typedef {{stock: string, times_requested: number}} StockCount
 * @typedef {{id: number, username: string, role: "USER" | "ADMIN", active: boolean, created_at: string}} Account
 * @typedef {{name: string, enabled: boolean, breaker: "closed" | "open" | "half_open", retry_in: number,
 *   last_success: string | null, last_failure: string | null, last_failure_kind: string | null, successes: number,
 *   failures: number, failures_by_kind: Record<string, number>}} Provider
 * @typedef {{id: number, at: string, event: string, user_id: number | null, username: string | null, address: string | null,
 *   request_id: string | null, detail: Record<string, unknown> | null}} AuditEntry
 * @typedef {Record<string, string | number | null | undefined>} Query Empty values are left out.
 */

/**
 * @template Row
 * @typedef {{rows: Row[], total: number | null, older: string | null}} Page `older` is the `before` of the next page.
 */

/**
 * @param {string[]} symbols
 * @param {string} key sent again with a repetition, so that what was saved is not saved twice
 * @returns {Promise<(Quote | Missing)[]>}
 */
export async function quotes(symbols, key) {
  const list = symbols.map(encodeURIComponent).join(",");
  return (await call(`/api/v1/quotes?symbols=${list}`, { headers: { "Idempotency-Key": key } })).json();
}

/**
 * @param {Query} query
 * @returns {Promise<Page<HistoryEntry>>}
 */
export const history = (query) => page("/api/v1/users/history", query);

/**
 * @param {Query} query
 * @returns {Promise<Page<Account>>}
 */
export const accounts = (query) => page("/api/v1/users", query);

/**
 * @param {Query} query
 * @returns {Promise<Page<AuditEntry>>}
 */
export const audit = (query) => page("/api/v1/audit", query);

/**
 * @param {Query} query
 * @returns {Promise<StockCount[]>}
 */
export const mostRequested = async (query) => (await call(withQuery("/api/v1/stats", query))).json();

/** @returns {Promise<Provider[]>} */
export const providers = async () => (await call("/api/v1/providers")).json();

/** @param {{username: string, password: string, role: string}} account */
export const addAccount = (account) => call("/api/v1/users", { method: "POST", body: account });

/**
 * @param {number} id
 * @param {{active?: boolean, role?: string, password?: string}} changes
 */
export const changeAccount = (id, changes) => call(`/api/v1/users/${id}`, { method: "PATCH", body: changes });

/**
 * @param {Query} query
 * @param {number} patience milliseconds
 */
export const historyAsCsv = (query, patience) =>
  call(withQuery("/api/v1/users/history.csv", query), { headers: { Accept: "text/csv" }, patience });

/**
 * @template Row
 * @param {string} path
 * @param {Query} query
 * @returns {Promise<Page<Row>>}
 */
async function page(path, query) {
  const answer = await call(withQuery(path, query));
  const total = answer.headers.get("X-Total-Count");
  return { rows: await answer.json(), total: total === null ? null : Number(total), older: beforeOf(answer.headers.get("Link")) };
}

/** @param {string | null} link */
function beforeOf(link) {
  const next = link?.match(/<([^>]+)>; rel="next"/)?.[1];
  return next ? new URL(next, location.origin).searchParams.get("before") : null;
}

/**
 * @param {string} path
 * @param {Query} query
 */
function withQuery(path, query) {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return text ? `${path}?${text}` : path;
}
