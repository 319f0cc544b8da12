// @ts-check
// Shows the description of the API with Swagger UI, which asks no other host.

const DARK = matchMedia("(prefers-color-scheme: dark)");

function useColours() {
  document.documentElement.classList.toggle("dark-mode", DARK.matches);
}

DARK.addEventListener("change", useColours);
useColours();

// @ts-expect-error  Swagger UI is a script of its own, loaded before this one
SwaggerUIBundle({
  url: "/api/v1/openapi.json",
  dom_id: "#api",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  validatorUrl: null, // else the description goes to a validator of somebody else
  persistAuthorization: false, // a token stays in the memory of this page
});
