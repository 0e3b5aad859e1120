// Keeps a page up to date: listens to its stream and, when something happened, asks the server to render what changed.
//
// The stream says only "look again". What is shown comes from the server's own templates, so there is one way to render a thing,
// a repeated or lost message does no harm, and a page that was away for an hour catches up in one request.
//
// Why this and not htmx with its SSE extension: hx-sync queues a trigger on the element that the answer then replaces, its
// reconnection begins again at the first URL and not behind the last event shown, and it knows nothing of heartbeats. This file is
// smaller than the settings and listeners that would mend all three, and needs nothing vendored.
//
//   [data-live]      the stream's URL; also data-fragment (URL of the fragment), data-event (what to listen for),
//                    data-last (id of the last event on the page), data-silence (seconds between heartbeats), data-more,
//                    data-pace (milliseconds between two requests), data-passing (the event of text that nothing keeps)
//   [data-fragment]  the root of an answer; also data-last, data-more (ask again at once), data-final (nothing will follow),
//                    data-title (the page's title now)
//   [data-region]    replaced, by id, when its content is another one; what has an id in it keeps the focus, stays ticked and open
//   [data-append]    a list, by id, whose new items (by their ids) are added; of more than data-most the oldest go
//   [data-text-of]   shows the end of the text that a node is writing
//   [data-badge]     says what the connection is: live, behind (by how many events), reconnecting or ended
"use strict";

(() => {
    const LONGEST_WAIT = 5000;
    const LATE = 2000; // milliseconds after which the page admits that it is behind
    const TEXT_SHOWN = 240; // characters of a text in passing
    const WORDS = { connecting: "Connecting…", live: "Live", reconnecting: "Reconnecting…", ended: "Ended" };

    const root = document.querySelector("[data-live]");
    if (!root) return;
    const badge = document.querySelector("[data-badge]");
    const pace = Number(root.dataset.pace || 250); // however fast events come
    const texts = new Map(); // what each node is writing
    const shown = new Map(); // what each region was rendered from; what the reader did to it since (an open <details>) is theirs
    const silence = Number(root.dataset.silence || 0) * 2500;

    let last = Number(root.dataset.last); // the last event that the page shows
    let told = last; // the last one that the stream told of
    let source = null;
    let failures = 0;
    let heardAt = 0;
    let behindSince = 0;
    let ended = false;
    let fetching = false;
    let wanted = false;
    let timer = 0;

    const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
    // Not all pages that lost the same server come back at the same moment.
    const wait = () => Math.min(LONGEST_WAIT, 250 * 2 ** failures++) * (0.75 + Math.random() / 2);
    const heard = () => (heardAt = performance.now());

    function after(path) {
        const url = new URL(path, location.href); // it may have filters in it
        url.searchParams.set("after", last);
        return url;
    }

    function say(state, words = WORDS[state]) {
        if (badge.textContent === words && badge.dataset.state === state && !badge.hidden) return;
        badge.dataset.state = state;
        badge.textContent = words;
        badge.hidden = false;
    }

    // Live is what shows all that it was told of. A page that the server cannot keep up with says so, and by how much.
    function measure() {
        if (told <= last) behindSince = 0;
        else behindSince ||= performance.now();
        if (ended || !source || source.readyState !== EventSource.OPEN) return;
        if (behindSince && performance.now() - behindSince > LATE) say("behind", `Behind by ${told - last}`);
        else if (badge.dataset.state === "behind") say("live");
    }

    function connect() {
        disconnect();
        source = new EventSource(after(root.dataset.live));
        heard();
        source.onopen = () => {
            failures = 0;
            heard();
            say("live");
            refresh();
        };
        source.onerror = lost;
        source.addEventListener("heartbeat", heard);
        source.addEventListener(root.dataset.event, (event) => {
            heard();
            told = Number(event.lastEventId);
            measure();
            refresh(false);
        });
        if (root.dataset.passing) source.addEventListener(root.dataset.passing, pass);
        source.addEventListener("done", () => {
            disconnect(); // the server closes now, and that is no fault
            refresh();
        });
    }

    function disconnect() {
        clearTimeout(timer);
        if (source) source.close();
        source = null;
    }

    // Not left to EventSource: it gives up for good when the answer is an error, such as a proxy's 502 during a restart.
    function lost() {
        disconnect();
        if (ended) return;
        say("reconnecting");
        timer = setTimeout(connect, wait());
    }

    // One request at a time; what is told meanwhile is one more after it, so the last event is never the one that is missed.
    async function refresh(inAnyCase = true) {
        wanted = wanted || inAnyCase;
        if (fetching) return;
        fetching = true;
        while ((wanted || told > last) && !ended) {
            wanted = false;
            try {
                await fetchFragment();
                await pause(pace);
            } catch {
                wanted = true;
                say("reconnecting");
                await pause(wait());
            }
        }
        fetching = false;
    }

    async function fetchFragment() {
        const answer = await fetch(after(root.dataset.fragment), {
            redirect: "manual",
            signal: AbortSignal.timeout(10000),
        });
        if (answer.type === "opaqueredirect" || [401, 403, 404].includes(answer.status)) {
            end(); // signed out, or not ours any more: the page itself says which
            location.reload();
            return;
        }
        if (!answer.ok) throw new Error(answer.statusText);
        show(new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-fragment]"));
        failures = 0;
        measure();
        if (source && source.readyState === EventSource.OPEN && badge.dataset.state !== "behind") say("live");
    }

    function show(fragment) {
        const focused = document.activeElement;
        for (const fresh of fragment.querySelectorAll("[data-region]")) replace(fresh);
        if (focused.id && !focused.isConnected) document.getElementById(focused.id)?.focus({ preventScroll: true }); // its successor
        for (const list of fragment.querySelectorAll("[data-append]")) {
            for (const item of [...list.children]) append(document.getElementById(list.id), item);
        }
        last = Math.max(last, Number(fragment.dataset.last));
        document.title = fragment.dataset.title || document.title;
        if ("more" in fragment.dataset) wanted = true;
        if ("final" in fragment.dataset) end();
    }

    function replace(fresh) {
        const html = fresh.innerHTML.trim();
        if (shown.get(fresh.id) === html) return;
        shown.set(fresh.id, html);
        const region = document.getElementById(fresh.id);
        const keep = kept(region);
        region.replaceChildren(...fresh.childNodes);
        keep();
        for (const node of texts.keys()) write(node);
    }

    // What the reader did to a region: what they ticked, by id, and what they opened, by its summary.
    function kept(region) {
        const ticked = [...region.querySelectorAll("input:checked[id]")].map((input) => input.id);
        const opened = [...region.querySelectorAll("details[open] > summary")].map((summary) => summary.textContent);
        return () => {
            for (const id of ticked) {
                const input = document.getElementById(id);
                if (input) input.checked = true;
            }
            for (const summary of region.querySelectorAll("details > summary")) {
                if (opened.includes(summary.textContent)) summary.parentElement.open = true;
            }
        };
    }

    function append(list, item) {
        if (document.getElementById(item.id)) return;
        item.classList.add("fresh");
        list.append(item);
        while (list.children.length > Number(list.dataset.most || Infinity)) list.firstElementChild.remove();
        list.dispatchEvent(new Event("appended"));
    }

    function pass(event) {
        heard();
        const { node, text } = JSON.parse(event.data);
        texts.set(node, ((texts.get(node) || "") + text).slice(-TEXT_SHOWN));
        write(node);
    }

    function write(node) {
        for (const place of root.querySelectorAll("[data-text-of]")) {
            if (place.dataset.textOf === node && place.closest("[data-state=running]")) place.textContent = texts.get(node);
        }
    }

    function end() {
        ended = true;
        disconnect();
        say("ended");
    }

    for (const region of root.querySelectorAll("[data-region]")) shown.set(region.id, region.innerHTML.trim());

    // Another script of the page has changed something, or knows that time has.
    document.addEventListener("look-again", () => !ended && refresh());

    // A browser opens six connections to a host, and a stream is one of them: a page that nobody sees must not hold any.
    document.addEventListener("visibilitychange", () => {
        if (ended) return;
        if (document.hidden) disconnect();
        else connect();
    });

    setInterval(measure, 500);

    // A network that went away says nothing; the missing heartbeat does.
    if (silence) setInterval(() => source && performance.now() - heardAt > silence && lost(), 1000);

    say("connecting");
    if ("more" in root.dataset) refresh();
    if (!document.hidden) connect();
})();
