// @ts-check
// Says in words what went wrong and what to do next.

/**
 * @typedef {{type?: string, title?: string, detail?: string, status?: number, request_id?: string, errors?: Record<string, string[]>}} ProblemBody
 */

/** What the API answered instead of what was asked for; status 0: nothing came back. */
export class ApiProblem extends Error {
  /**
   * @param {number} status
   * @param {ProblemBody} body
   * @param {number | null} [retryAfter] seconds
   */
  constructor(status, body, retryAfter = null) {
    super(body.detail || body.title || `HTTP ${status}`);
    this.status = status;
    this.body = body;
    this.slug = slugOf(body.type);
    this.retryAfter = retryAfter;
  }
}

/** @type {Record<string, [string, string]>} What happened, and what to do, where the API's own words are for programs. */
const WORDS = {
  offline: ["The service cannot be reached", "Check your connection, then try again."],
  "no-answer": ["The service did not answer in time", "Try again in a moment."],
  "broken-off": ["The download broke off", "Nothing is saved. Try again."],
  "login-failed": ["That name and password do not match", "Check both and try again. An account that is not active cannot log in."],
  "too-many-logins": ["Too many wrong passwords", "Wait, then try again."],
  "rate-limited": ["That was too often in a short time", "Wait, then try again."],
  "symbol-not-found": ["No provider knows this symbol", "Check the code: a share in the US looks like aapl.us, one in Budapest like otp.hu."],
  "invalid-symbol": ["That is not a symbol", "A code looks like aapl.us."],
  "invalid-symbols": ["That is not a list of symbols", "Separate codes such as aapl.us with commas or blanks, at most 50 of them."],
  "upstream-timeout": ["The quote providers are too slow right now", "Try again in a moment."],
  "upstream-error": ["The quote providers cannot be reached", "This is not about your symbol. Try again later."],
  "upstream-bad-data": ["A quote provider sent something that is no quote", "Try again later."],
  "upstream-quota": ["The quote provider's limit is used up", "Wait, then try again."],
  "upstream-unavailable": ["Every quote provider is out at the moment", "Wait, then try again."],
  "stock-service-timeout": ["The stock service did not answer in time", "Try again in a moment."],
  "stock-service-unavailable": ["The stock service is not running", "Try again in a moment."],
  "broker-unavailable": ["The message broker cannot be reached", "Try again in a moment."],
  "database-unavailable": ["The database cannot be reached", "Try again in a moment."],
  "history-not-saved": ["The quotes were found, but could not be saved in your history", "Try again in a moment."],
  overloaded: ["Too much is asked for at once", "Try again in a moment."],
  "too-many-exports": ["Too many histories are being downloaded at once", "Wait, then try again."],
  "super-users-only": ["Only super users may see this", "Ask one of them if you need it."],
  "last-super-user": ["This is the last active super user", "Make somebody else a super user first."],
  "cross-origin": ["The service takes this page for somebody else's", "Open it under the address that its operator gave you."],
};

/**
 * @param {unknown} error
 * @returns {{title: string, advice: string}}
 */
export function inWords(error) {
  if (!(error instanceof ApiProblem)) return { title: "This page made a mistake", advice: "Reload it. If that does not help, report it." };
  const [title, advice] = WORDS[error.slug] ?? [error.body.title || "Something went wrong", detailOf(error)];
  return { title, advice: [advice, waitOf(error), reportOf(error)].filter(Boolean).join(" ") };
}

/**
 * The words for a symbol without a quote in an answer that has others.
 * @param {ProblemBody} body
 */
export function entryInWords(body) {
  return inWords(new ApiProblem(200, body));
}

/** @param {string | undefined} type */
function slugOf(type) {
  return (type ?? "").replace("/problems/", "");
}

/** @param {ApiProblem} error */
function detailOf(error) {
  const fields = Object.entries(error.body.errors ?? {}).map(([name, texts]) => `${name}: ${[texts].flat().join(" ")}`);
  return [error.body.detail ?? "Try again later.", ...fields].join(" ");
}

/** @param {ApiProblem} error */
function waitOf(error) {
  const seconds = error.retryAfter;
  if (seconds === null) return "";
  if (seconds < 90) return `It will take about ${seconds} second${seconds === 1 ? "" : "s"}.`;
  return `It will take about ${Math.ceil(seconds / 60)} minutes.`;
}

/** @param {ApiProblem} error */
function reportOf(error) {
  return error.status >= 500 && error.status !== 503 && error.body.request_id ? `When you report it, quote ${error.body.request_id}.` : "";
}
