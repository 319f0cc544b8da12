// @ts-check
// Logging in.
import { el } from "./dom.js";
import { field, form } from "./forms.js";
import { notice } from "./notices.js";
import { logIn } from "./session.js";

/**
 * @param {string} [why] why the user has to
 * @returns {import("./main.js").View}
 */
export function loginView(why) {
  const name = el("input", {
    name: "username", autocomplete: "username", required: true, maxlength: "64", autocapitalize: "none", spellcheck: "false",
  });
  const password = el("input", { name: "password", type: "password", autocomplete: "current-password", required: true });
  const submit = async (/** @type {Record<string, string>} */ { username, password: typed }) => {
    try {
      await logIn(username, typed);
    } catch (error) {
      password.value = "";
      password.focus();
      throw error;
    }
  };
  const whole = form(
    { class: "card login" },
    submit,
    field("User name", name),
    field("Password", password),
    el("button", { class: "button primary" }, "Log in"),
  );
  return { title: "Log in", content: [...(why ? [notice(why)] : []), whole, ...demoUsers()], focus: name };
}

/** What the server says of demo users: something in development only. */
function demoUsers() {
  const template = /** @type {HTMLTemplateElement | null} */ (document.getElementById("demo-users"));
  return template ? [template.content.cloneNode(true)] : [];
}
