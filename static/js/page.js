// What every page has: a form marked data-once is sent once, however often its button is pressed; one that comes back with
// faults is gone on with at the first of them; menus close; the section that one is in is in sight, where the row of sections
// is wider than the screen.
"use strict";

document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches("[data-once]")) return;
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "true";
});

const row = document.querySelector(".sections");
const here = row && row.querySelector("[aria-current]");
if (here && here.offsetLeft + here.offsetWidth > row.clientWidth) row.scrollLeft = here.offsetLeft - 48;

// A page that comes back from the browser's history may be sent again.
window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("[data-sent]")) delete form.dataset.sent;
});

// Who has no mouse would have to come all the way from the top of the page.
document.querySelector(".faulty :is(input, select, textarea)")?.focus();

// A menu closes when something else is clicked, and on Escape, which gives the focus back to what opened it.
document.addEventListener("click", (event) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
});
document.addEventListener("keydown", (event) => {
    const menu = event.key === "Escape" && event.target.closest("details.menu[open]");
    if (!menu) return;
    menu.open = false;
    menu.querySelector("summary").focus();
});
