// The command palette: "/" or Ctrl-K opens it, letters narrow it, arrows choose, Enter opens, Escape closes.
//
// What is found is rendered by the server, as on the page /dashboard/find, which is what the same link opens without this file.
"use strict";

(() => {
    const PAUSE = 120; // milliseconds without a key before the server is asked
    const dialog = document.getElementById("palette");
    const input = document.getElementById("palette-text");
    const list = document.getElementById("palette-hits");
    let asked = 0; // answers may overtake each other; the last question counts
    let timer = 0;

    const hits = () => [...list.querySelectorAll("a")];
    const chosen = () => list.querySelector("[aria-selected=true]");

    function open() {
        if (dialog.open) return;
        dialog.showModal();
        input.select();
        ask();
    }

    async function ask() {
        const mine = ++asked;
        const url = `${input.form.action}?${new URLSearchParams({ q: input.value, part: 1 })}`;
        try {
            const answer = await fetch(url, { redirect: "manual", signal: AbortSignal.timeout(10000) });
            if (answer.type === "opaqueredirect") location.reload(); // signed out
            if (answer.ok && mine === asked) show(await answer.text());
        } catch {
            if (mine === asked) list.replaceChildren(note("The server does not answer. Press a key to try again."));
        }
    }

    function show(html) {
        list.replaceChildren(...new DOMParser().parseFromString(html, "text/html").body.childNodes);
        for (const item of list.querySelectorAll("ul, li, h2")) item.setAttribute("role", "presentation");
        hits().forEach((link, number) => {
            link.id = `hit-${number}`;
            link.tabIndex = -1;
            link.setAttribute("role", "option");
        });
        choose(hits()[0]);
    }

    function note(text) {
        const line = document.createElement("p");
        line.className = "empty";
        line.textContent = text;
        return line;
    }

    function choose(link) {
        for (const each of hits()) each.setAttribute("aria-selected", String(each === link));
        if (link) input.setAttribute("aria-activedescendant", link.id);
        else input.removeAttribute("aria-activedescendant");
        link?.scrollIntoView({ block: "nearest" });
    }

    function move(by) {
        const all = hits();
        if (all.length) choose(all[(all.indexOf(chosen()) + by + all.length) % all.length]);
    }

    input.addEventListener("input", () => {
        clearTimeout(timer);
        timer = setTimeout(ask, PAUSE);
    });

    input.addEventListener("keydown", (event) => {
        const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
        if (!by) return;
        event.preventDefault();
        move(by);
    });

    input.form.addEventListener("submit", (event) => {
        if (!chosen()) return; // the page of the search says that nothing was found
        event.preventDefault();
        location.assign(chosen().href);
    });

    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());

    for (const link of document.querySelectorAll("[data-palette]")) {
        link.addEventListener("click", (event) => {
            event.preventDefault();
            open();
        });
    }

    document.addEventListener("keydown", (event) => {
        if (!event.key) return; // a browser that fills in a form says so with a key that is none
        const writing = event.target.closest("input, textarea, select, [contenteditable]");
        const slash = event.key === "/" && !writing && !event.ctrlKey && !event.metaKey && !event.altKey;
        const controlK = event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey;
        if (!slash && !controlK) return;
        event.preventDefault();
        open();
    });
})();
