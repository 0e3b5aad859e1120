"use strict";
{
  const place = document.getElementById("redoc");
  const options = { theme: { typography: { fontFamily: "system-ui, sans-serif", headings: { fontFamily: "system-ui, sans-serif" } } } };
  Redoc.init(place.dataset.schema, options, place);
}
