// @ts-check
// The prices of one symbol as a line over the moments at which the user was served them.
import { el } from "./dom.js";
import { counted, day, price } from "./format.js";

const HEIGHT = 240;
const A_DAY = 86_400; // seconds
const DATE = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const TIME = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const DARK = matchMedia("(prefers-color-scheme: dark)");

/**
 * @param {string} symbol
 * @param {import("./api.js").HistoryEntry[]} entries the earliest first, two or more
 */
export function priceChart(symbol, entries) {
  const area = el("div", { class: "plot", "aria-hidden": "true" });
  const draw = () => drawInto(area, entries);
  new ResizeObserver(draw).observe(area);
  DARK.addEventListener("change", () => area.isConnected && draw());
  return el("figure", { class: "card chart" }, el("figcaption", {}, el("strong", {}, `${symbol} in your history`), el("span", { class: "muted" }, inWords(entries))), area);
}

/** @param {import("./api.js").HistoryEntry[]} entries */
function inWords(entries) {
  const closes = entries.map(({ close }) => close);
  const [first, last] = [entries[0], entries[entries.length - 1]].map(({ date }) => day(new Date(date)));
  const when = first === last ? `on ${first}` : `from ${first} to ${last}`;
  return `${counted(entries.length, "price")} ${when}, lowest ${price(Math.min(...closes))}, highest ${price(Math.max(...closes))}`;
}

/**
 * @param {HTMLElement} area
 * @param {import("./api.js").HistoryEntry[]} entries
 */
function drawInto(area, entries) {
  if (!area.clientWidth) return;
  const color = (/** @type {string} */ name) => getComputedStyle(area).getPropertyValue(name).trim();
  const axis = { stroke: color("--muted"), grid: { stroke: color("--line"), width: 1 }, ticks: { show: false }, font: "12px system-ui" };
  const options = {
    width: area.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    cursor: { y: false, drag: { setScale: false } },
    scales: { x: { range: hourOrMore }, y: { range: padded } },
    axes: [{ ...axis, size: 28, space: 60, values: moments }, { ...axis, size: 64, values: (/** @type {unknown} */ _, /** @type {number[]} */ marks) => marks.map(price) }],
    series: [{}, { stroke: color("--accent"), fill: color("--accent-faint"), width: 2, points: { size: 6, fill: color("--surface") } }],
  };
  const data = [entries.map(({ date }) => Date.parse(date) / 1000), entries.map(({ close }) => close)];
  area.replaceChildren();
  // @ts-expect-error  uPlot is a script of its own, loaded before the modules
  new uPlot(options, data, area);
}

/**
 * What stands at the marks of the axis of time: dates, and times where the marks are closer than a day.
 * @param {unknown} _
 * @param {number[]} marks seconds
 * @param {number} __
 * @param {number} ___
 * @param {number} step seconds between two marks
 */
function moments(_, marks, __, ___, step) {
  return marks.map((mark) => {
    const moment = new Date(mark * 1000);
    const isMidnight = moment.getHours() + moment.getMinutes() === 0;
    return (step < A_DAY && !isMidnight ? TIME : DATE).format(moment);
  });
}

/**
 * The scale of time in seconds; moments that are close together stand in the middle of an hour.
 * @param {unknown} _
 * @param {number} first
 * @param {number} last
 * @returns {[number, number]}
 */
function hourOrMore(_, first, last) {
  const room = Math.max(0, 3600 - (last - first)) / 2;
  return [first - room, last + room];
}

/**
 * The scale of the prices, with some room; a price that never moved is in the middle.
 * @param {unknown} _
 * @param {number} low
 * @param {number} high
 * @returns {[number, number]}
 */
function padded(_, low, high) {
  const room = (high - low) * 0.1 || Math.abs(high) * 0.01 || 1;
  return [low - room, high + room];
}
