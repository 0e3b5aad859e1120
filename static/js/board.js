// Moves the tasks of the board without leaving it: by dragging a card onto a column, or by the buttons of its menu.
//
// Both send what the same buttons send without this file, so the server decides: the version in the button's address is what
// the person saw. Its answer is a sentence; the board itself is live.js's to show, which is told to look again.
"use strict";

(() => {
    const board = document.getElementById("board");
    const form = document.getElementById("board-move");
    const notice = document.getElementById("board-notice");
    let dragged = null; // what the dragged card offers: addresses by status; kept, as the card may be replaced meanwhile

    const columns = () => [...board.querySelectorAll("[data-column]")];

    async function send(url, status) {
        const body = new FormData(form);
        body.set("status", status);
        body.set("part", "1");
        try {
            const answer = await fetch(url, {
                method: "POST",
                body,
                redirect: "manual",
                signal: AbortSignal.timeout(10000),
            });
            if (answer.type === "opaqueredirect" || answer.status === 403) location.reload(); // signed out
            else if (answer.ok) say(new DOMParser().parseFromString(await answer.text(), "text/html").body);
            else tell(answer.status === 404 ? "This task has been deleted." : "This did not work. Load the page again.");
        } catch {
            tell("The server does not answer. Nothing was moved, as far as this page knows.");
        }
        document.dispatchEvent(new Event("look-again"));
    }

    function say(answer) {
        notice.replaceChildren(...answer.childNodes);
    }

    function tell(text) {
        const line = document.createElement("p");
        line.className = "notice";
        line.dataset.kind = "error";
        line.textContent = text;
        notice.replaceChildren(line);
    }

    form.addEventListener("submit", (event) => {
        event.preventDefault();
        const button = event.submitter;
        const menu = button.closest("details");
        menu.open = false;
        menu.querySelector("summary").focus(); // its successor gets the focus, wherever the card goes
        send(button.formAction, button.value);
    });

    board.addEventListener("dragstart", (event) => {
        const card = event.target.closest?.("[data-task]");
        if (!card) return;
        const buttons = card.querySelectorAll("button[name=status]");
        dragged = new Map([...buttons].map((button) => [button.value, button.formAction]));
        event.dataTransfer.effectAllowed = "move";
        event.dataTransfer.setData("text/plain", card.querySelector("a").textContent);
        card.classList.add("dragged");
        const home = card.closest("[data-column]");
        for (const column of columns()) {
            if (column !== home) column.dataset.drop = dragged.has(column.dataset.column) ? "yes" : "no";
        }
    });

    function over(event) {
        const column = event.target.closest?.("[data-column]");
        for (const each of columns()) each.classList.toggle("over", each === column && each.dataset.drop === "yes");
        if (!dragged || column?.dataset.drop !== "yes") return;
        event.preventDefault(); // this is what allows the drop
        event.dataTransfer.dropEffect = "move";
    }

    board.addEventListener("dragover", over);
    board.addEventListener("dragenter", over);

    board.addEventListener("drop", (event) => {
        const status = event.target.closest?.("[data-column]")?.dataset.column;
        const url = dragged?.get(status);
        end();
        if (!url) return;
        event.preventDefault();
        send(url, status);
    });

    function end() {
        dragged = null;
        for (const column of columns()) {
            delete column.dataset.drop;
            column.classList.remove("over");
        }
        for (const card of board.querySelectorAll(".dragged")) card.classList.remove("dragged");
    }

    // On the document: a card that was replaced while it was dragged tells only that.
    document.addEventListener("dragend", end);
})();
