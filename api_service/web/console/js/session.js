// @ts-check
// Who is logged in: the access token lives in this module's memory, the refresh token in a cookie that no script can read.
import { send } from "./http.js";
import { ApiProblem } from "./problems.js";

const CSRF_COOKIE = "stock_quotes_csrf";
const LOCK = "stock-quotes-session"; // the cookie works once, so one tab at a time uses it (docs/adr/0015)
const UNAUTHORIZED = 401;

/** @typedef {{id: number, username: string, role: "USER" | "ADMIN"}} User */

/** @type {string | null} */
let token = null;
/** @type {User | null} */
let user = null;
/** @type {Promise<void> | null} */
let refreshing = null;

const tabs = new BroadcastChannel("stock-quotes-session");

/** Tells `changed` (detail: why, or nothing) when somebody logged in or out, here or in another tab. */
export const events = new EventTarget();

tabs.addEventListener("message", ({ data }) => {
  if (data === "logged-out") return become(null, null, "You logged out in another tab.");
  return resume().catch(() => become(null, null, "Somebody logged in in another tab. Reload this page to go on."));
});

export const currentUser = () => user;
export const isSuperUser = () => user?.role === "ADMIN";

/** Take up the session that this browser has, if it has one. */
export async function resume() {
  if (!csrf()) return become(null, null);
  try {
    await refresh();
    become(token, await whoIsThis());
  } catch (error) {
    if (!(error instanceof ApiProblem && error.status === UNAUTHORIZED)) throw error;
    become(null, null);
  }
}

/**
 * @param {string} username
 * @param {string} password
 */
export async function logIn(username, password) {
  await underLock(async () => {
    const answer = await send("/api/v1/session", { method: "POST", body: { username, password } });
    token = (await answer.json()).token;
  });
  become(token, await whoIsThis());
  tabs.postMessage("logged-in");
}

export async function logOut() {
  await underLock(() => send("/api/v1/session", { method: "DELETE", headers: { "X-CSRF-Token": csrf() } }));
  become(null, null, "You are logged out.");
  tabs.postMessage("logged-out");
}

/**
 * A request as the user. A token that has ended is renewed without a word, and the request repeated once.
 * @param {string} path
 * @param {import("./http.js").Options} [options]
 */
export async function call(path, options = {}) {
  const used = token;
  try {
    return await send(path, withToken(options));
  } catch (error) {
    if (!(error instanceof ApiProblem && error.status === UNAUTHORIZED)) throw error;
  }
  await renew(used);
  return send(path, withToken(options));
}

/** @param {string | null} used the token that was refused */
async function renew(used) {
  if (token !== used) return;
  try {
    await refresh();
  } catch (error) {
    if (error instanceof ApiProblem && error.status === UNAUTHORIZED) {
      become(null, null, "Your session has ended. Log in again.");
    }
    throw error;
  }
}

/** Requests of this tab that wait for a new token share one. */
function refresh() {
  refreshing ??= underLock(useCookie).finally(() => { refreshing = null; });
  return refreshing;
}

async function useCookie() {
  const answer = await send("/api/v1/session/refresh", { method: "POST", headers: { "X-CSRF-Token": csrf() } });
  token = (await answer.json()).token;
}

/** @param {() => Promise<unknown>} action */
async function underLock(action) {
  // Browsers have locks on https and on localhost only; elsewhere two tabs at the same moment may cost a log-in.
  await (navigator.locks ? navigator.locks.request(LOCK, action) : action());
}

async function whoIsThis() {
  return /** @type {Promise<User>} */ ((await send("/api/v1/users/me", withToken({}))).json());
}

/**
 * @param {import("./http.js").Options} options
 * @returns {import("./http.js").Options}
 */
function withToken(options) {
  return { ...options, headers: { ...options.headers, Authorization: `Bearer ${token}` } };
}

/**
 * @param {string | null} newToken
 * @param {User | null} newUser
 * @param {string} [why]
 */
function become(newToken, newUser, why) {
  const same = user?.id === newUser?.id && user?.role === newUser?.role;
  token = newToken;
  user = newUser;
  if (!same || why) events.dispatchEvent(new CustomEvent("changed", { detail: why }));
}

function csrf() {
  const found = document.cookie.split("; ").find((cookie) => cookie.startsWith(`${CSRF_COOKIE}=`));
  return found ? found.slice(CSRF_COOKIE.length + 1) : "";
}
