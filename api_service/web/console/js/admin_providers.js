// @ts-check
// How the quote providers are doing.
import { providers } from "./api.js";
import { el } from "./dom.js";
import { moment, whole } from "./format.js";
import { panel } from "./panel.js";
import { table } from "./table.js";

/** @returns {Node[]} */
export function providersPage() {
  const { area, reload } = panel(4, async () => [table("Providers", ["Provider", "State", "Last quote", "Last failure", "#Quotes", "#Failures"], (await providers()).map(cells))]);
  return [
    el("p", { class: "muted" }, "In the order in which they are asked, as the stock service sees it that answers now."),
    area,
    el("p", {}, el("button", { class: "button", type: "button", onclick: reload }, "Look again")),
  ];
}

/** @param {import("./api.js").Provider} provider */
function cells(provider) {
  const failure = provider.last_failure
    ? el("span", { class: "stock" }, moment(provider.last_failure), el("span", { class: "muted" }, provider.last_failure_kind ?? ""))
    : moment(null);
  return [el("strong", {}, provider.name), state(provider), moment(provider.last_success), failure, whole(provider.successes), whole(provider.failures)];
}

/** @param {import("./api.js").Provider} provider */
function state({ enabled, breaker, retry_in: seconds }) {
  if (!enabled) return el("span", { class: "badge" }, "off");
  if (breaker === "closed") return el("span", { class: "badge good" }, "asked");
  if (breaker === "half_open") return el("span", { class: "badge warn" }, "being tried");
  return el("span", { class: "badge bad" }, `out, asked again in ${whole(seconds)} s`);
}
