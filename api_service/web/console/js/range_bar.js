// @ts-check
// The day's range from low to high, with the open and the last price marked.
import { el, svg } from "./dom.js";
import { price } from "./format.js";

const WIDTH = 200;
const MARGIN = 6; // so that a mark at either end is whole

/** @param {import("./api.js").Quote} quote */
export function rangeBar({ low, high, open, close }) {
  const at = (/** @type {number} */ value) => MARGIN + (WIDTH - 2 * MARGIN) * share(low, high, value);
  const [from, to] = [at(open), at(close)].sort((one, other) => one - other);
  const label = `Range of the day: from ${price(low)} to ${price(high)}; opened at ${price(open)}, now ${price(close)}`;
  return el(
    "div",
    { class: "range" },
    svg(
      "svg",
      { viewBox: `0 0 ${WIDTH} 16`, role: "img", "aria-label": label, class: close >= open ? "up" : "down" },
      svg("rect", { class: "track", x: MARGIN, y: 6.5, width: WIDTH - 2 * MARGIN, height: 3, rx: 1.5 }),
      svg("rect", { class: "move", x: from, y: 6.5, width: to - from, height: 3 }),
      svg("rect", { class: "open", x: at(open) - 0.75, y: 3, width: 1.5, height: 10, rx: 0.75 }),
      svg("circle", { class: "close", cx: at(close), cy: 8, r: 4.5 }),
    ),
    el("p", { class: "range-ends", "aria-hidden": "true" }, el("span", {}, `Low ${price(low)}`), el("span", {}, `High ${price(high)}`)),
  );
}

/**
 * Where `value` stands between the two, from 0 to 1; a provider may be a cent off.
 * @param {number} low
 * @param {number} high
 * @param {number} value
 */
function share(low, high, value) {
  return high > low ? Math.min(1, Math.max(0, (value - low) / (high - low))) : 0.5;
}
