// Sifts a log while somebody types: lines of the page that do not hold the text are hidden. Sending the form searches all of it.
//
//   form[data-sift]  the id of the list; its field of the type search holds the text
"use strict";

(() => {
    for (const form of document.querySelectorAll("form[data-sift]")) {
        const list = document.getElementById(form.dataset.sift);
        const field = form.querySelector("input[type=search]");
        const count = document.createElement("p");
        count.className = "fine";
        count.setAttribute("role", "status");
        form.after(count);

        const sift = () => {
            const wanted = field.value.trim().toLowerCase();
            let found = 0;
            for (const line of list.children) {
                line.hidden = wanted !== "" && !line.textContent.toLowerCase().includes(wanted);
                if (!line.hidden) found += 1;
            }
            count.textContent = wanted ? `${found} of the ${list.children.length} events on this page` : "";
        };
        field.addEventListener("input", sift);
        list.addEventListener("appended", sift);
        sift();
    }
})();
