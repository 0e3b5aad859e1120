// Keeps the pages of agents up to date over the WebSocket of agents. Like live.js, it takes every frame for "look again" and
// shows what the server renders; a frame's seq says how far, and resumes without a gap.
//
//   [data-socket]    the socket's path; also data-fragment (URL of the fragment) and data-last (seq that the page shows)
//   [data-fragment]  the root of an answer; also data-last, data-more (ask again at once), data-final (nothing will follow)
//   [data-region]    replaced, by id, when its content is another one
//   [data-cards]     a list, by id, whose items are compared one by one, by their ids: new ones come, others go, move or change
//   [data-append]    a list, by id, whose new items are added; the last one's id is sent as ?line=; at most data-most stay
//   [data-follow]    scrolls to its end when something is added, while the reader is at its end
//   [data-badge]     says what the connection is: live, reconnecting, behind or ended
"use strict";

(() => {
    const PACE = 400; // milliseconds between two requests, however fast frames come
    const LONGEST_WAIT = 5000;
    const SILENCE = 40000; // the socket's heartbeat comes every 15 s
    const BEHIND = 3000; // milliseconds of looking again without getting to the end
    const WORDS = {
        connecting: "Connecting…",
        live: "Live",
        reconnecting: "Reconnecting…",
        behind: "Behind, catching up…",
        ended: "Ended",
    };

    const root = document.querySelector("[data-socket]");
    const badge = document.querySelector("[data-badge]");
    const log = document.querySelector("[data-append]");
    const scroller = document.querySelector("[data-follow]");
    const shown = new Map(); // what each region and card was rendered from; an open <details> in it is the reader's

    let last = Number(root.dataset.last); // the last change that the page shows
    let told = last; // the last one that the socket told of
    let socket = null;
    let failures = 0;
    let heardAt = 0;
    let ended = false;
    let fetching = false;
    let wanted = false;
    let timer = 0;

    const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
    // Not all pages that lost the same server come back at the same moment.
    const wait = () => Math.min(LONGEST_WAIT, 250 * 2 ** failures++) * (0.75 + Math.random() / 2);
    const heard = () => (heardAt = performance.now());
    const open = () => socket?.readyState === WebSocket.OPEN;

    function say(state) {
        if (badge.dataset.state === state && !badge.hidden) return;
        badge.dataset.state = state;
        badge.textContent = WORDS[state];
        badge.hidden = false;
    }

    function address() {
        const url = new URL(root.dataset.socket, location.href);
        url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
        url.searchParams.set("since", last);
        return url;
    }

    function connect() {
        disconnect();
        const mine = (socket = new WebSocket(address()));
        heard();
        mine.onopen = () => {
            failures = 0;
            heard();
            say("live");
            refresh();
        };
        mine.onmessage = (message) => {
            heard();
            take(JSON.parse(message.data));
        };
        mine.onclose = () => mine === socket && lost();
    }

    function take(frame) {
        if (frame.type === "resync") say("behind"); // the server closes now; what was missed is read again from last
        if (typeof frame.seq === "number") told = Math.max(told, frame.seq);
        refresh(frame.type === "heartbeat"); // signs of life of agents are no frames: they are looked at with each heartbeat
    }

    function disconnect() {
        clearTimeout(timer);
        const old = socket;
        socket = null;
        old?.close();
    }

    function lost() {
        disconnect();
        if (ended) return;
        if (badge.dataset.state !== "behind") say("reconnecting");
        if (failures > 1) refresh(); // a refused socket does not say why; a page that is not ours any more does
        timer = setTimeout(connect, wait());
    }

    // One request at a time; what is told meanwhile is one more after it, so the last change is never the one that is missed.
    async function refresh(inAnyCase = true) {
        wanted = wanted || inAnyCase;
        if (fetching) return;
        fetching = true;
        const began = performance.now();
        while ((wanted || told > last) && !ended) {
            wanted = false;
            try {
                await fetchFragment();
                if (open()) say(told > last && performance.now() - began > BEHIND ? "behind" : "live");
                await pause(PACE);
            } catch {
                wanted = true;
                say("reconnecting");
                await pause(wait());
            }
        }
        fetching = false;
        if (open() && !ended) say("live");
    }

    async function fetchFragment() {
        const url = new URL(root.dataset.fragment, location.href);
        if (log?.lastElementChild) url.searchParams.set("line", log.lastElementChild.id.replace("line-", ""));
        const answer = await fetch(url, { redirect: "manual", signal: AbortSignal.timeout(10000) });
        if (answer.type === "opaqueredirect" || [401, 403, 404].includes(answer.status)) {
            end(); // signed out, or not ours any more: the page itself says which
            location.reload();
            return;
        }
        if (!answer.ok) throw new Error(answer.statusText);
        show(new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-fragment]"));
        failures = open() ? 0 : failures;
    }

    function show(fragment) {
        const focused = document.activeElement;
        for (const fresh of fragment.querySelectorAll("[data-region]")) replace(fresh);
        for (const fresh of fragment.querySelectorAll("[data-cards]")) compare(document.getElementById(fresh.id), fresh);
        for (const fresh of fragment.querySelectorAll("[data-append]")) append([...fresh.children]);
        if (focused.id && !focused.isConnected) document.getElementById(focused.id)?.focus(); // its successor
        last = Math.max(last, Number(fragment.dataset.last));
        if ("more" in fragment.dataset) wanted = true;
        if ("final" in fragment.dataset) end();
    }

    function replace(fresh) {
        const html = fresh.innerHTML.trim();
        if (shown.get(fresh.id) === html) return;
        shown.set(fresh.id, html);
        document.getElementById(fresh.id).replaceChildren(...fresh.childNodes);
    }

    function compare(list, fresh) {
        if (!list) return;
        const kept = new Map([...list.children].map((item) => [item.id, item]));
        const items = [...fresh.children].map((item) => {
            const html = item.outerHTML;
            const old = kept.get(item.id);
            if (old && shown.get(item.id) === html) return old;
            shown.set(item.id, html);
            if (!old) item.classList.add("fresh");
            return item;
        });
        const same = items.length === list.children.length && items.every((item, place) => item === list.children[place]);
        if (!same) list.replaceChildren(...items);
    }

    function append(items) {
        const atEnd = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 40;
        const most = Number(log.dataset.most);
        for (const item of items) {
            if (document.getElementById(item.id)) continue;
            item.classList.add("fresh");
            log.append(item);
        }
        while (log.children.length > most) log.firstElementChild.remove();
        if (atEnd) scroller.scrollTop = scroller.scrollHeight;
    }

    function end() {
        ended = true;
        disconnect();
        say("ended");
    }

    for (const region of root.querySelectorAll("[data-region]")) shown.set(region.id, region.innerHTML.trim());
    for (const list of root.querySelectorAll("[data-cards]")) {
        for (const item of list.children) shown.set(item.id, item.outerHTML);
    }
    if (scroller) scroller.scrollTop = scroller.scrollHeight;

    document.addEventListener("look-again", () => !ended && refresh());

    // A page that nobody sees needs no socket.
    document.addEventListener("visibilitychange", () => {
        if (ended) return;
        if (document.hidden) disconnect();
        else connect();
    });

    // A network that went away says nothing; the missing heartbeat does.
    setInterval(() => socket && performance.now() - heardAt > SILENCE && lost(), 1000);

    say("connecting");
    if (!document.hidden) connect();
})();
