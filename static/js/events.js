// Puts new events on top of the list as they happen. As in live.js, the stream says only "look again": the rows come from the
// server's own template. Pausing closes the stream; going on catches up with what has come meanwhile.
//
//   #events        the list; data-stream (the tail), data-rows (where new rows are), data-query (the filters of both),
//                  data-last (the last event that the page knows of)
//   [data-pause]   the button; [data-badge] says what the connection is; [data-skipped-notice] that not all rows are shown
"use strict";

(() => {
    const PACE = 500; // milliseconds between two requests, however fast events come
    const LONGEST_WAIT = 5000;
    const MOST_ROWS = 500; // a page that is open for a week stays as light as it was
    const WORDS = { connecting: "Connecting…", live: "Live", reconnecting: "Reconnecting…", paused: "Paused" };

    const list = document.getElementById("events");
    const badge = document.querySelector("[data-badge]");
    const button = document.querySelector("[data-pause]");
    const skipped = document.querySelector("[data-skipped-notice]");

    let last = Number(list.dataset.last);
    let source = null;
    let failures = 0;
    let paused = false;
    let wanted = false;
    let fetching = false;
    let timer = 0;

    const address = (path) => `${path}?after=${last}${list.dataset.query ? `&${list.dataset.query}` : ""}`;
    const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
    const wait = () => Math.min(LONGEST_WAIT, 250 * 2 ** failures++) * (0.75 + Math.random() / 2);

    function say(state) {
        badge.dataset.state = state;
        badge.textContent = WORDS[state];
        badge.hidden = false;
    }

    function connect() {
        disconnect();
        if (paused || document.hidden) return;
        source = new EventSource(address(list.dataset.stream));
        source.onopen = () => {
            failures = 0;
            say("live");
            refresh();
        };
        // Not left to EventSource: it gives up for good when the answer is an error.
        source.onerror = () => {
            disconnect();
            say("reconnecting");
            timer = setTimeout(connect, wait());
        };
        source.addEventListener("event", refresh);
    }

    function disconnect() {
        clearTimeout(timer);
        if (source) source.close();
        source = null;
    }

    async function refresh() {
        wanted = true;
        if (fetching) return;
        fetching = true;
        while (wanted && !paused) {
            wanted = false;
            try {
                await fetchRows();
                await pause(PACE);
            } catch {
                wanted = true;
                say("reconnecting");
                await pause(wait());
            }
        }
        fetching = false;
    }

    async function fetchRows() {
        const answer = await fetch(address(list.dataset.rows), { redirect: "manual", signal: AbortSignal.timeout(10000) });
        if (answer.type === "opaqueredirect" || [401, 403, 404].includes(answer.status)) {
            location.reload(); // signed out: the page itself says so
            return;
        }
        if (!answer.ok) throw new Error(answer.statusText);
        const fragment = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-fragment]");
        for (const row of [...fragment.querySelectorAll("ol > li")].reverse()) prepend(row);
        while (list.children.length > MOST_ROWS) list.lastElementChild.remove();
        if ("skipped" in fragment.dataset) skipped.hidden = false;
        last = Math.max(last, Number(fragment.dataset.last));
        if (source && source.readyState === EventSource.OPEN) say("live");
    }

    function prepend(row) {
        if (document.getElementById(row.id)) return;
        row.classList.add("fresh");
        list.prepend(row);
        const empty = list.parentElement.querySelector(".empty");
        if (empty) empty.remove();
    }

    button.hidden = false;
    button.addEventListener("click", () => {
        paused = !paused;
        button.textContent = paused ? "Go on" : "Pause";
        if (paused) {
            disconnect();
            say("paused");
        } else {
            say("connecting");
            connect();
        }
    });

    // A browser opens six connections to a host, and a stream is one of them: a page that nobody sees must not hold any.
    document.addEventListener("visibilitychange", () => (document.hidden ? disconnect() : connect()));

    say("connecting");
    connect();
})();
