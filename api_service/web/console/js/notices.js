// @ts-check
// Messages: an error where it happened, and words in passing, shown and spoken or only spoken by screen readers.
import { byId, el } from "./dom.js";
import { ApiProblem, inWords } from "./problems.js";

const TOAST_MS = 6000;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let clearing;

/**
 * What went wrong and what to do next; `retry` puts a button beside it, if the same may work later.
 * @param {unknown} error
 * @param {(() => void) | null} [retry]
 */
export function errorNotice(error, retry = null) {
  const { title, advice } = inWords(error);
  if (!(error instanceof ApiProblem)) console.error(error); // a defect of ours: its trace helps whoever looks
  const again = retry && mayPass(error) && el("button", { class: "button", type: "button", onclick: retry }, "Try again");
  return el("div", { class: "notice error", role: "alert" }, el("div", {}, el("strong", {}, `${title}.`), " ", advice), again);
}

/** @param {unknown} error */
function mayPass(error) {
  return !(error instanceof ApiProblem) || error.status === 0 || error.status === 429 || error.status >= 500;
}

/** @param {string} text */
export function notice(text) {
  return el("p", { class: "notice", role: "status" }, text);
}

/**
 * Show what was done where the page itself would not show it.
 * @param {string} text
 */
export function toast(text) {
  clearTimeout(clearing);
  byId("toast").textContent = text;
  clearing = setTimeout(() => { byId("toast").textContent = ""; }, TOAST_MS);
}

/**
 * Say what can be seen anyway.
 * @param {string} text
 */
export function speak(text) {
  byId("spoken").textContent = text;
}
