// @ts-check
// The bar at the top: where one can go, who one is, and the way out.
import { byId, el } from "./dom.js";
import { toast } from "./notices.js";
import { inWords } from "./problems.js";
import * as session from "./session.js";
import { whileBusy } from "./waiting.js";

const LINKS = [
  ["/quotes", "Quotes"],
  ["/history", "History"],
];
const FOR_SUPER_USERS = ["/admin", "Admin"];

/** @param {string} path the address that is shown */
export function showBar(path) {
  const user = session.currentUser();
  const links = session.isSuperUser() ? [...LINKS, FOR_SUPER_USERS] : LINKS;
  byId("nav").hidden = byId("who").hidden = byId("log-out").hidden = !user;
  byId("nav").replaceChildren(...links.map(([to, label]) => el("a", { href: `#${to}`, "aria-current": path.startsWith(to) && "page" }, label)));
  byId("who").textContent = user?.username ?? "";
}

byId("log-out").addEventListener("click", async () => {
  try {
    await whileBusy(byId("log-out"), session.logOut);
  } catch (error) {
    const { title, advice } = inWords(error);
    toast(`You are still logged in. ${title}. ${advice}`);
  }
});
