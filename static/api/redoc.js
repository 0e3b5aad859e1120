"use strict";
{
  // ReDoc's footer asks a CDN for its logo. Nothing here asks another host for anything.
  const source = Object.getOwnPropertyDescriptor(HTMLImageElement.prototype, "src");
  const isLocal = (value) => {
    const url = new URL(value, location);
    return url.protocol === "data:" || url.origin === location.origin;
  };
  Object.defineProperty(HTMLImageElement.prototype, "src", { ...source, set(value) { if (isLocal(value)) source.set.call(this, value); } });
  HTMLImageElement.prototype.setAttribute = function (name, value) {
    if (name !== "src" || isLocal(value)) Element.prototype.setAttribute.call(this, name, value);
  };

  const place = document.getElementById("redoc");
  const fontFamily = "system-ui, sans-serif";
  Redoc.init(place.dataset.schema, { theme: { typography: { fontFamily, headings: { fontFamily } } } }, place);
}
