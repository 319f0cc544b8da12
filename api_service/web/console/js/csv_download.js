// @ts-check
// Saves the history as a CSV file. The token goes in a header, so the page fetches what a link could not.
import { historyAsCsv } from "./api.js";
import { el } from "./dom.js";
import { toast } from "./notices.js";
import { ApiProblem } from "./problems.js";

const PATIENCE_MS = 10 * 60_000; // a long history on a slow line
const KEPT_MS = 60_000; // browsers read the address after the click

/** @param {import("./api.js").Query} filter */
export async function downloadCsv(filter) {
  const answer = await historyAsCsv(filter, PATIENCE_MS);
  const address = URL.createObjectURL(await wholeOf(answer));
  const symbol = filter.symbol ? `-${filter.symbol}` : "";
  el("a", { href: address, download: `history${symbol}.csv` }).click();
  setTimeout(() => URL.revokeObjectURL(address), KEPT_MS);
  toast("Your history is downloaded.");
}

/**
 * @param {Response} answer
 * @throws {ApiProblem} it broke off; a part of a history must not pass for all of it
 */
async function wholeOf(answer) {
  try {
    return await answer.blob();
  } catch {
    throw new ApiProblem(0, { type: "/problems/broken-off" });
  }
}
