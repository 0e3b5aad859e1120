// Writes times in the zone of whoever reads: time[data-here] is rewritten, with its time in UTC as its title;
// [data-here-name] takes the name of the zone. Without this file the page says UTC, and that is right, too.
"use strict";

(() => {
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
    const parts = new Intl.DateTimeFormat("en-GB", {
        timeZone: zone,
        weekday: "short",
        year: "numeric",
        month: "2-digit",
        day: "2-digit",
        hour: "2-digit",
        minute: "2-digit",
        hourCycle: "h23",
    });

    function here(moment) {
        const part = Object.fromEntries(parts.formatToParts(moment).map(({ type, value }) => [type, value]));
        return `${part.weekday} ${part.year}-${part.month}-${part.day} ${part.hour}:${part.minute}`;
    }

    for (const time of document.querySelectorAll("time[data-here]")) {
        time.title = time.textContent.trim();
        time.textContent = here(new Date(time.dateTime));
    }
    for (const name of document.querySelectorAll("[data-here-name]")) name.textContent = zone;
})();
