// @ts-check
// The dialog that changes one account: role, active or not, a new password.
import { ROLES } from "./roles.js";
import { el } from "./dom.js";
import { field, form, select } from "./forms.js";

/** @typedef {{active?: boolean, role?: string, password?: string}} Changes */

/**
 * Open it; `save` gets what is different. What fails is said in the dialog, which then stays.
 * @param {import("./api.js").Account} account
 * @param {(changes: Changes) => Promise<void>} save
 */
export function changeDialog(account, save) {
  const close = () => dialog.close();
  const password = el("input", { name: "password", type: "password", autocomplete: "new-password" });
  const body = form(
    {},
    async (values) => {
      const changes = differences(account, values);
      if (Object.keys(changes).length) await save(changes);
      close();
    },
    el("h2", { id: "dialog-title" }, `Change ${account.username}`),
    el("input", { name: "username", value: account.username, autocomplete: "username", hidden: true }), // for password managers
    field("Role", select("role", ROLES, account.role)),
    field("State", select("active", [["true", "Active"], ["false", "Not active: cannot log in"]], String(account.active))),
    field("New password", password, "Leave it empty to keep the old one. 12 to 128 characters, not easy to guess."),
    el("p", { class: "hint" }, "Each change ends all sessions of this user."),
    el("div", { class: "actions" }, el("button", { class: "button primary" }, "Save"), el("button", { class: "button", type: "button", onclick: close }, "Cancel")),
  );
  const dialog = el("dialog", { "aria-labelledby": "dialog-title", onclose: () => dialog.remove() }, body);
  document.body.append(dialog);
  dialog.showModal(); // the browser keeps the focus inside, and gives it back
}

/**
 * @param {import("./api.js").Account} account
 * @param {Record<string, string>} values
 * @returns {Changes}
 */
function differences(account, { role, active, password }) {
  return {
    ...(role !== account.role && { role }),
    ...((active === "true") !== account.active && { active: active === "true" }),
    ...(password && { password }),
  };
}
