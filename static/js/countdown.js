// Makes moments into what is left until them and what has passed since: the server writes the moment, which is what counts.
//
//   <time datetime data-countdown>   becomes "42 s left"; when nothing is left the page is told to look again: a lease that was
//                                    renewed is no event, and this is when it matters
//   <time datetime data-ago>         becomes "12 s ago"
//   <span data-ago="…"></span>       says so beside a moment that stays as it is
"use strict";

(() => {
    const done = new Set(); // moments that have passed, each told of once

    function words(seconds, exact) {
        if (seconds < 60) return `${seconds} s`;
        const minutes = Math.floor(seconds / 60);
        if (minutes < 60) return exact ? `${minutes} min ${seconds % 60} s` : `${minutes} min`;
        if (minutes >= 2880) return `${Math.floor(minutes / 1440)} days`;
        const hours = Math.floor(minutes / 60);
        return minutes % 60 && (exact || hours < 10) ? `${hours} h ${minutes % 60} min` : `${hours} h`;
    }

    function write(element, text) {
        if (!element.title && element.dateTime) element.title = element.textContent;
        if (element.textContent !== text) element.textContent = text;
    }

    function tick() {
        const now = Date.now();
        for (const element of document.querySelectorAll("time[data-countdown]")) {
            const left = Math.ceil((Date.parse(element.dateTime) - now) / 1000);
            write(element, left > 0 ? `${words(left, true)} left` : "ran out just now");
            if (left > 0 || done.has(element.dateTime)) continue;
            done.add(element.dateTime);
            document.dispatchEvent(new Event("look-again"));
        }
        for (const element of document.querySelectorAll("[data-ago]")) {
            const passed = Math.max(0, Math.floor((now - Date.parse(element.dateTime || element.dataset.ago)) / 1000));
            write(element, `${words(passed)} ago`);
        }
    }

    setInterval(tick, 1000);
    // What live.js and agents.js put in place is written before it is seen.
    new MutationObserver(tick).observe(document.body, { childList: true, subtree: true });
    tick();
})();
