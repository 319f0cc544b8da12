// @ts-check
// Shows that something is under way, once it takes long enough to be noticed.
import { el } from "./dom.js";

const UNNOTICED_MS = 150;

/**
 * Run `action` with `area` marked busy; its buttons rest meanwhile.
 * @template T
 * @param {HTMLElement} area
 * @param {() => Promise<T>} action
 * @returns {Promise<T>}
 */
export async function whileBusy(area, action) {
  const buttons = [...area.querySelectorAll("button:not([disabled])")];
  area.setAttribute("aria-busy", "true");
  buttons.forEach((button) => button.setAttribute("aria-disabled", "true"));
  const showing = setTimeout(() => area.classList.add("waiting"), UNNOTICED_MS);
  try {
    return await action();
  } finally {
    clearTimeout(showing);
    area.classList.remove("waiting");
    area.removeAttribute("aria-busy");
    buttons.forEach((button) => button.removeAttribute("aria-disabled"));
  }
}

/**
 * Fill `area` with what `load` finds; placeholders stand there while it takes long.
 * @param {HTMLElement} area
 * @param {number} count of placeholders
 * @param {() => Promise<Node[]>} load
 */
export async function fillWhenReady(area, count, load) {
  area.setAttribute("aria-busy", "true");
  const showing = setTimeout(() => area.replaceChildren(...skeletons(count)), UNNOTICED_MS);
  try {
    area.replaceChildren(...(await load()));
  } finally {
    clearTimeout(showing);
    area.removeAttribute("aria-busy");
  }
}

/** @param {number} count */
export function skeletons(count) {
  const bars = Array.from({ length: count }, () => el("div", { class: "skeleton", "aria-hidden": "true" }));
  return [el("p", { class: "visually-hidden", role: "status" }, "Loading"), ...bars];
}
