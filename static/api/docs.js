"use strict";
{
  const place = document.getElementById("swagger-ui");
  const csrfToken = () => (document.cookie.match(/(?:^|;\s*)csrftoken=([^;]+)/) || [])[1];

  SwaggerUIBundle({
    url: place.dataset.schema,
    domNode: place,
    deepLinking: true,
    presets: [SwaggerUIBundle.presets.apis],
    // "Try it out" with the session cookie: a cookie travels by itself, so a write must show the token, too.
    requestInterceptor: (request) => {
      const token = csrfToken();
      if (token && !["GET", "HEAD"].includes(request.method || "GET")) request.headers["X-CSRFToken"] = token;
      return request;
    },
  });
}
