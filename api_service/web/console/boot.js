// @ts-check
// Says so when a part of the page could not be loaded: without all of its modules there would be nothing to see.
addEventListener("error", ({ target }) => {
  const main = document.getElementById("main");
  if (target instanceof HTMLScriptElement && main) main.textContent = "A part of this page could not be loaded. Check your connection, and reload the page.";
}, true);
