"""Print the figures of docs/performance.md, measured now: ``python -m bench [http] [runs] [streams] [idle]``."""

import sys
import time

from bench import http, runs, streams
from bench.load import Result
from bench.server import Server, serving


def show(name: str, result: Result) -> None:
    wrong = {status: count for status, count in result.statuses.items() if status >= 400}
    note = f"  ERRORS {wrong}" if wrong else ""
    print(f"{name:<34}{result.per_second:>9.0f}/s   p50 {result.p50:6.1f} ms   p99 {result.p99:6.1f} ms{note}", flush=True)


def bench_http(server: Server) -> None:
    show("create a task, 16 connections", http.creates(server))
    made = http.lists(server)
    show("list of 100, unchanged", made)
    spared = http.not_modified(server)
    show("304, unchanged", spared)
    built = http.fresh_lists(server)
    show("list of 100, built from rows", built)
    print(f"{'a 304 against a built list':<34}{spared.per_second / built.per_second:>9.1f}x", flush=True)


def bench_runs(server: Server) -> None:
    p50, p99 = runs.submit_to_done(server)
    print(f"{'submit -> done, 8-node graph':<34}{'':>11}   p50 {p50:6.1f} ms   p99 {p99:6.1f} ms", flush=True)
    found = runs.many_at_once(server)
    print(f"{'200 runs at once':<34}{found.per_second:>9.0f}/s   submitted at {found.submitted_per_second:.0f}/s, {found.failed} failed")


def bench_streams(server: Server) -> None:
    for readers in (200, 1000):
        found = streams.delay(server, readers)
        print(
            f"{f'{readers} readers, 50 events/s':<34}{found.core_percent:>8.0f} % of a core   "
            f"p50 {found.p50:.1f} ms   p99 {found.p99:.1f} ms   lost {found.lost}",
            flush=True,
        )


def bench_idle(server: Server) -> None:
    cpu, began = server.cpu_seconds(), time.monotonic()
    time.sleep(5)
    used = (server.cpu_seconds() - cpu) / (time.monotonic() - began)
    print(f"{'start to healthy; idle':<34}{server.start_seconds:>8.1f} s   {server.memory_mib():.0f} MiB   {used:.1%} of a core")


BENCHES = {"idle": bench_idle, "http": bench_http, "runs": bench_runs, "streams": bench_streams}


def main() -> None:
    for name in sys.argv[1:] or BENCHES:
        with serving() as server:
            BENCHES[name](server)


if __name__ == "__main__":
    main()
