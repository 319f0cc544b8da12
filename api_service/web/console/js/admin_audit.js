// @ts-check
// The audit log, the latest entry first.
import { audit } from "./api.js";
import { el } from "./dom.js";
import { field, form } from "./forms.js";
import { moment } from "./format.js";
import { pager } from "./pager.js";
import { panel } from "./panel.js";
import { go } from "./router.js";
import { table } from "./table.js";

const PAGE = 50;

/**
 * @param {Record<string, string>} query
 * @returns {Node[]}
 */
export function auditPage(query) {
  const event = el("input", { name: "event", value: query.event ?? "", placeholder: "any, or as login_failed", autocapitalize: "none", spellcheck: "false" });
  const filters = form(
    { class: "filters", role: "search", "aria-label": "Audit log" },
    async (values) => go("/admin/audit", { event: values.event.trim() }),
    field("Event", event),
    el("div", { class: "actions" }, el("button", { class: "button primary" }, "Show"), el("a", { class: "button", href: "#/admin/audit" }, "Clear")),
  );
  return [el("div", { class: "toolbar" }, filters), panel(6, () => entries(query)).area];
}

/** @param {Record<string, string>} query */
async function entries({ event, before }) {
  const page = await audit({ event, before, limit: PAGE });
  if (!page.rows.length) return [el("p", { class: "empty" }, "There is no such entry.")];
  return [
    table("Audit log", ["When", "Event", "User", "Address", "Detail"], page.rows.map(cells)),
    pager("/admin/audit", event ? { event } : {}, before, page.older),
  ];
}

/** @param {import("./api.js").AuditEntry} entry */
function cells({ at, event, username, address, detail }) {
  const details = Object.entries(detail ?? {}).map(([name, value]) => `${name}: ${typeof value === "string" ? value : JSON.stringify(value)}`);
  return [moment(at), el("code", {}, event), username ?? el("span", { class: "muted" }, "nobody"), address ?? "", el("span", { class: "muted" }, details.join(", "))];
}
