// @ts-check
// The accounts: who there is, adding one, changing what each may do.
import { accounts, addAccount, changeAccount } from "./api.js";
import { el } from "./dom.js";
import { field, form, select } from "./forms.js";
import { counted, moment } from "./format.js";
import { toast } from "./notices.js";
import { pager } from "./pager.js";
import { panel } from "./panel.js";
import { ROLES } from "./roles.js";
import { table } from "./table.js";
import { changeDialog } from "./user_dialog.js";

const PAGE = 50;

/**
 * @param {Record<string, string>} query
 * @returns {Node[]}
 */
export function usersPage({ before }) {
  const list = panel(4, () => listOf(before, (account) => openDialog(account, list.reload)));
  return [addForm(list.reload), list.area];
}

/** @param {() => Promise<void>} added */
function addForm(added) {
  const name = el("input", { name: "username", required: true, maxlength: "64", autocomplete: "off", autocapitalize: "none", spellcheck: "false" });
  const password = el("input", { name: "password", type: "password", required: true, autocomplete: "new-password" });
  const whole = form(
    { class: "filters", "aria-label": "Add a user" },
    async (values, sent) => {
      await addAccount({ username: values.username, password: values.password, role: values.role });
      sent.reset();
      toast(`${values.username} is added.`);
      await added();
      name.focus();
    },
    field("User name", name),
    field("Password", password, "12 to 128 characters, not easy to guess"),
    field("Role", select("role", ROLES)),
    el("div", { class: "actions" }, el("button", { class: "button primary" }, "Add")),
  );
  return el("details", { class: "card add" }, el("summary", {}, "Add a user"), whole);
}

/**
 * @param {string | undefined} before
 * @param {(account: import("./api.js").Account) => void} change
 */
async function listOf(before, change) {
  const page = await accounts({ limit: PAGE, before });
  return [
    el("p", { class: "muted", role: "status" }, counted(page.total ?? page.rows.length, "user")),
    table("Users", ["Name", "Role", "State", "Since", "~Change"], page.rows.map((account) => cells(account, change))),
    pager("/admin/users", {}, before, page.older),
  ];
}

/**
 * @param {import("./api.js").Account} account
 * @param {(account: import("./api.js").Account) => void} change
 */
function cells(account, change) {
  const role = account.role === "ADMIN" ? el("span", { class: "badge accent" }, "super user") : "user";
  const state = account.active ? el("span", { class: "badge good" }, "active") : el("span", { class: "badge" }, "not active");
  const button = el("button", { class: "button small", type: "button", "aria-label": `Change ${account.username}`, onclick: () => change(account) }, "Change");
  return [el("strong", {}, account.username), role, state, moment(account.created_at), button];
}

/**
 * @param {import("./api.js").Account} account
 * @param {() => Promise<void>} changed
 */
function openDialog(account, changed) {
  changeDialog(account, async (changes) => {
    await changeAccount(account.id, changes);
    toast(`${account.username} is changed.`);
    await changed();
  });
}
