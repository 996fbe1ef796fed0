// A file of its own: the shop's Content-Security-Policy lets no script stand in a page.
SwaggerUIBundle({
  url: '/api/openapi.json',
  domNode: document.getElementById('api'),
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  docExpansion: 'none',
  filter: true,
  // No stranger's service is asked whether the document is valid: the tests have looked.
  validatorUrl: null,
});
