// @ts-check
// Numbers and moments as the reader's browser writes them.
import { el } from "./dom.js";

const PRICE = new Intl.NumberFormat(undefined, { minimumFractionDigits: 2, maximumFractionDigits: 4 });
const SIGNED = new Intl.NumberFormat(undefined, { minimumFractionDigits: 2, maximumFractionDigits: 2, signDisplay: "exceptZero" });
const WHOLE = new Intl.NumberFormat();
const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const MINUTE = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });

/** @param {number} value */
export const price = (value) => PRICE.format(value);
/** @param {number} value */
export const signed = (value) => SIGNED.format(value).replace("-", "\u2212"); // a minus is as wide as a plus
/** @param {number} value */
export const whole = (value) => WHOLE.format(value);
/** @param {Date} moment */
export const day = (moment) => DAY.format(moment);

/**
 * A moment of the API in the reader's time zone; the exact one is in its tooltip.
 * @param {string | null} utc
 * @param {string} [never]
 */
export function moment(utc, never = "never") {
  if (!utc) return el("span", { class: "muted" }, never);
  const date = new Date(utc);
  return el("time", { datetime: utc, title: utc }, part(DAY.format(date)), " ", part(MINUTE.format(date)));
}

/** @param {string} text */
const part = (text) => el("span", { class: "nowrap" }, text);

/**
 * @param {number} count
 * @param {string} one
 * @param {string} [many]
 */
export function counted(count, one, many = `${one}s`) {
  return `${whole(count)} ${count === 1 ? one : many}`;
}
