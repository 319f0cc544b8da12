// @ts-check
// An area of a page that loads by itself, says when it could not, and can be loaded again.
import { el } from "./dom.js";
import { errorNotice } from "./notices.js";
import { fillWhenReady } from "./waiting.js";

/**
 * @param {number} placeholders
 * @param {() => Promise<Node[]>} load
 */
export function panel(placeholders, load) {
  const area = el("div", { class: "panel" });
  const reload = async () => {
    try {
      await fillWhenReady(area, placeholders, load);
    } catch (error) {
      area.replaceChildren(errorNotice(error, reload));
    }
  };
  void reload();
  return { area, reload };
}
