// What every page has: a form marked data-once is sent once, however often its button is pressed.
"use strict";

document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches("[data-once]")) return;
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "true";
});

// A page that comes back from the browser's history may be sent again.
window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("[data-sent]")) delete form.dataset.sent;
});
