// @ts-check
// What super users see: four pages with a bar of their own, and a clear word for everybody else.
import { auditPage } from "./admin_audit.js";
import { providersPage } from "./admin_providers.js";
import { statsPage } from "./admin_stats.js";
import { usersPage } from "./admin_users.js";
import { el } from "./dom.js";
import { currentUser, isSuperUser } from "./session.js";
import { notFoundView } from "./view_not_found.js";

/** @type {[string, string, (query: Record<string, string>) => Node[]][]} address, label and content of each */
const PAGES = [
  ["/admin/stats", "Most requested", statsPage],
  ["/admin/users", "Users", usersPage],
  ["/admin/providers", "Providers", providersPage],
  ["/admin/audit", "Audit log", auditPage],
];

/**
 * @param {import("./router.js").Place} place
 * @returns {import("./main.js").View}
 */
export function adminView({ path, query }) {
  if (!isSuperUser()) return forSuperUsersOnly();
  const page = PAGES.find(([address]) => address === (path === "/admin" ? PAGES[0][0] : path));
  if (!page) return notFoundView();
  const [address, label, content] = page;
  const links = PAGES.map(([to, name]) => el("a", { href: `#${to}`, "aria-current": to === address && "page" }, name));
  return { title: label, content: [el("nav", { class: "tabs", "aria-label": "Admin" }, ...links), ...content(query)] };
}

function forSuperUsersOnly() {
  const words = `You are logged in as ${currentUser()?.username}, who is not a super user. Ask a super user if you need this page.`;
  return {
    title: "For super users only",
    content: [el("p", { class: "notice" }, words), el("p", {}, el("a", { class: "button", href: "#/quotes" }, "To the quotes"))],
  };
}
