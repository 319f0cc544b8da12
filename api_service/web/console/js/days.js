// @ts-check
// Days of the reader's calendar as moments in UTC, which is what the API takes.

/** @param {string | undefined} day as in 2026-11-29; its first moment */
export const startOfDay = (day) => utc(day, 0);

/** @param {string | undefined} day the first moment after it: `to` is exclusive */
export const endOfDay = (day) => utc(day, 1);

/**
 * @param {string | undefined} text
 * @param {number} later days
 */
function utc(text, later) {
  const parts = text?.match(/^(\d{4})-(\d{2})-(\d{2})$/);
  if (!parts) return "";
  const [year, month, day] = parts.slice(1).map(Number);
  return new Date(year, month - 1, day + later).toISOString().replace(".000Z", "Z");
}
