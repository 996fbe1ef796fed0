// In a file of its own, because the shop's Content-Security-Policy forbids scripts in pages.
SwaggerUIBundle({
  url: '/api/openapi.json',
  domNode: document.getElementById('api'),
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  docExpansion: 'none',
  filter: true,
  // Swagger UI must not send the document to an external validator. The tests validate it.
  validatorUrl: null,
});
