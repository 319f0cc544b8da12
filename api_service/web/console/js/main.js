// @ts-check
// Starts the page, and shows the view that the address and the session call for.
import { byId, el } from "./dom.js";
import { errorNotice } from "./notices.js";
import { place } from "./router.js";
import * as session from "./session.js";
import { showBar } from "./bar.js";
import { adminView } from "./view_admin.js";
import { historyView } from "./view_history.js";
import { loginView } from "./view_login.js";
import { notFoundView } from "./view_not_found.js";
import { quotesView } from "./view_quotes.js";
import { skeletons } from "./waiting.js";

/**
 * @typedef {{title: string, content: Node[], focus?: HTMLElement}} View `focus` takes the focus, else the heading does.
 */

/** @type {[string, (place: import("./router.js").Place) => View][]} by the beginning of their address */
const VIEWS = [
  ["/quotes", quotesView],
  ["/history", historyView],
  ["/admin", adminView],
];

const main = byId("main");

/** @param {string} [why] a word about why the user is here */
function show(why) {
  const { path, query } = place();
  const make = VIEWS.find(([start]) => path === start || path.startsWith(`${start}/`))?.[1] ?? notFoundView;
  const view = session.currentUser() ? make({ path, query }) : loginView(why);
  showBar(path);
  document.title = `${view.title} · Stock quotes`;
  const heading = el("h1", { tabindex: "-1" }, view.title);
  main.replaceChildren(heading, ...view.content);
  (view.focus ?? heading).focus();
}

async function start() {
  main.setAttribute("aria-busy", "true");
  const showing = setTimeout(() => main.replaceChildren(...skeletons(3)), 150);
  try {
    await session.resume();
    session.events.addEventListener("changed", (event) => show(/** @type {CustomEvent} */ (event).detail));
    addEventListener("hashchange", () => show());
    show();
  } catch (error) {
    main.replaceChildren(el("h1", {}, "Stock quotes"), errorNotice(error, start));
  } finally {
    clearTimeout(showing);
    main.removeAttribute("aria-busy");
  }
}

document.querySelector("[data-skip]")?.addEventListener("click", (event) => {
  event.preventDefault(); // the part of the address behind # names the view
  main.focus();
});
await start();
