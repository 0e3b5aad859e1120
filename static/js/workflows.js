// Editing a definition: copy buttons, and the link to a fault also puts the cursor of the text on its line.
"use strict";

for (const button of document.querySelectorAll("[data-copy]")) {
    if (!navigator.clipboard) continue; // only where the page came over HTTPS, or from this machine
    const label = button.lastChild;
    const said = label.textContent;
    button.hidden = false;
    button.addEventListener("click", async () => {
        await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
        label.textContent = " Copied";
        setTimeout(() => (label.textContent = said), 2000);
    });
}

document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-line]");
    const text = link && document.querySelector("textarea[data-source]");
    if (!text) return;
    event.preventDefault();
    const lines = text.value.split("\n");
    const number = Number(link.dataset.line);
    const start = lines.slice(0, number - 1).reduce((sum, line) => sum + line.length + 1, 0);
    text.focus();
    text.setSelectionRange(start, start + (lines[number - 1] ?? "").length);
    text.scrollTop = (text.scrollHeight / lines.length) * Math.max(0, number - 5);
});
