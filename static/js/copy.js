// Copies what stands in a field: the button [data-copy] names it by its id. Without it the field can be selected by hand.
"use strict";

for (const button of document.querySelectorAll("[data-copy]")) {
    const field = document.getElementById(button.dataset.copy);
    const text = button.querySelector("[data-copy-text]");
    const told = document.querySelector("[data-copied]");

    // Only pages from https, or from this machine, have the clipboard; on others the text is selected, and Ctrl-C does it.
    async function copy() {
        field.select();
        try {
            await navigator.clipboard.writeText(field.value);
            text.textContent = told.textContent = "Copied";
        } catch {
            text.textContent = told.textContent = "Press Ctrl-C now";
        }
    }

    button.hidden = false;
    button.addEventListener("click", copy);
}
