// @ts-check
// An address behind which there is nothing.
import { el } from "./dom.js";

/** @returns {import("./main.js").View} */
export function notFoundView() {
  const words = el("p", {}, "There is nothing at this address. Go on with ", el("a", { href: "#/quotes" }, "quotes"), " or your ", el("a", { href: "#/history" }, "history"), ".");
  return { title: "Not found", content: [words] };
}
