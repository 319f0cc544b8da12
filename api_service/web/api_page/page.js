// @ts-check
// Shows the description of the API with Swagger UI, which asks no other host.

// @ts-expect-error  Swagger UI is a script of its own, loaded before this one
SwaggerUIBundle({
  url: "/api/v1/openapi.json",
  dom_id: "#api",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  docExpansion: "list",
  validatorUrl: null, // else it sends the description to a validator of somebody else
  persistAuthorization: false, // a token stays in the memory of this page
});
