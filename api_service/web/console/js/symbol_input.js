// @ts-check
// A field for symbol codes that suggests those of one's history, for the code that is being typed.
import { el } from "./dom.js";
import { knownSymbols } from "./symbols.js";

const SUGGESTIONS = 30;

/** @param {import("./dom.js").Properties} properties */
export function symbolInput(properties) {
  const list = el("datalist", { id: `${properties.id}-known` });
  const input = el("input", {
    list: list.id, autocomplete: "off", autocapitalize: "none", spellcheck: "false", enterkeyhint: "search", ...properties,
  });
  const suggest = async () => {
    const before = input.value.match(/^.*[\s,;]/)?.[0] ?? "";
    const known = await knownSymbols().catch(() => []); // without suggestions one can still type
    list.replaceChildren(...known.slice(0, SUGGESTIONS).map((symbol) => el("option", { value: before + symbol })));
  };
  input.addEventListener("input", suggest);
  input.addEventListener("focus", suggest);
  return { input, list };
}
