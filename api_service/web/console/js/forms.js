// @ts-check
// Form parts: a field with its label, and a form that waits, fails and succeeds visibly.
import { el } from "./dom.js";
import { errorNotice } from "./notices.js";
import { whileBusy } from "./waiting.js";

/**
 * @param {string} label
 * @param {HTMLElement} control
 * @param {string} [hint]
 */
export function field(label, control, hint) {
  const id = control.id || `field-${crypto.getRandomValues(new Uint32Array(1))[0]}`;
  control.id = id;
  if (hint) control.setAttribute("aria-describedby", `${id}-hint`);
  return el(
    "div",
    { class: "field" },
    el("label", { for: id }, label),
    control,
    hint && el("p", { class: "hint", id: `${id}-hint` }, hint),
  );
}

/**
 * @param {string} name
 * @param {[string, string][]} choices value and label of each
 * @param {string} [chosen]
 */
export function select(name, choices, chosen) {
  const options = choices.map(([value, label]) => el("option", { value, selected: value === chosen }, label));
  return el("select", { name }, ...options);
}

/**
 * A form whose fields `action` gets as they are sent. A failure is shown in the form; a second send waits for the first.
 * @param {import("./dom.js").Properties} properties
 * @param {(values: Record<string, string>, form: HTMLFormElement) => Promise<unknown>} action
 * @param {...Node} children
 */
export function form(properties, action, ...children) {
  const failure = el("div", { class: "failure" });
  /** @param {SubmitEvent} event */
  const send = async (event) => {
    event.preventDefault();
    if (whole.hasAttribute("aria-busy")) return;
    const values = /** @type {Record<string, string>} */ (Object.fromEntries(new FormData(whole)));
    failure.replaceChildren();
    try {
      await whileBusy(whole, () => action(values, whole));
    } catch (error) {
      failure.replaceChildren(errorNotice(error));
    }
  };
  // post: should this script not run, a password still does not go into an address
  const whole = el("form", { method: "post", onsubmit: send, ...properties }, ...children, failure);
  return whole;
}
