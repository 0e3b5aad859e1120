"""Print the figures of docs/performance.md, measured now, or some of them: ``python -m bench http versions``."""

import sys
import time
from collections.abc import Callable, Mapping

from bench import agents, brokered, engine, http, pages, runs, streams, versions
from bench.load import Result
from bench.server import Server, serving


def line(name: str, figure: str, note: str) -> None:
    print(f"{name:<34}{figure:>12}   {note}", flush=True)


def show(name: str, result: Result) -> None:
    wrong = {status: count for status, count in result.statuses.items() if status >= 400}
    note = f"p50 {result.p50:6.1f} ms   p99 {result.p99:6.1f} ms" + (f"   ERRORS {wrong}" if wrong else "")
    line(name, f"{result.per_second:.0f}/s", note)


def bench_idle(server: Server) -> None:
    cpu, began = server.cpu_seconds(), time.monotonic()
    time.sleep(5)
    used = (server.cpu_seconds() - cpu) / (time.monotonic() - began)
    note = f"{server.memory_mib():.0f} MiB   {used:.1%} of a core"
    line("start to healthy; idle", f"{server.start_seconds:.1f} s", note)


def bench_http(server: Server) -> None:
    show("create a task, 16 connections", http.creates(server))
    built = http.built_lists(server)
    show("list of 100, built from rows", built)
    unchanged = http.lists(server)
    show("list of 100, unchanged", unchanged)
    spared = http.not_modified(server)
    show("304, unchanged", spared)
    of_built, of_kept = spared.per_second / built.per_second, spared.per_second / unchanged.per_second
    line("304 : list that it replaces", f"{of_built:.1f}x", f"and {of_kept:.1f}x its kept bytes")


def bench_runs(server: Server) -> None:
    p50, p99 = runs.submit_to_done(server)
    line("submit -> done, 8-node graph", "", f"p50 {p50:6.1f} ms   p99 {p99:6.1f} ms")
    found = runs.many_at_once(server)
    note = f"submitted at {found.submitted_per_second:.0f}/s, {found.failed} failed"
    line("200 runs at once", f"{found.per_second:.0f}/s", note)


def bench_streams(server: Server) -> None:
    for readers in (200, 1000):
        found = streams.delay(server, readers)
        note = f"p50 {found.p50:6.1f} ms   p99 {found.p99:6.1f} ms   lost {found.lost}"
        line(f"{readers} readers, 50 events/s", f"{found.core_percent:.0f} % core", note)


def bench_agents(server: Server) -> None:
    show("heartbeats, 16 connections", agents.heartbeats(server))
    batches = agents.log_batches(server)
    line(
        "log lines in batches of 100", f"{batches.per_second * agents.LINES:.0f}/s", f"p99 {batches.p99:.1f} ms a batch"
    )
    show("claims, 20 agents", agents.claims(server))
    found = agents.status_delay(server)
    note = f"p50 {found.p50:6.1f} ms   p99 {found.p99:6.1f} ms   lost {found.lost}"
    line("200 WebSockets, 20 changes/s", f"{found.core_percent:.0f} % core", note)


def bench_versions() -> None:
    found = versions.measured()
    patches, commits = found["patches_per_second"], found["git_commits_per_second"]
    line("patch + move, 200 nodes", f"{patches:.0f}/s", f"{patches / commits:.1f}x git ({commits:.0f}/s)")
    shallow, deep = (found[f"read_ms_{depth}"] for depth in versions.DEPTHS)
    times = f"{deep / shallow:.2f}x depth {versions.DEPTHS[0]} ({shallow:.2f} ms)"
    line(
        f"read a tag at depth {versions.DEPTHS[1]}",
        f"{deep:.2f} ms",
        f"{times}, git show {found['git_read_ms']:.1f} ms",
    )
    line("read an old version", f"{found['read_old_ms']:.2f} ms", f"git show {found['git_read_old_ms']:.1f} ms")
    note = f"dry run {found['merge_dry_ms']:.0f} ms, git merge {found['git_merge_ms']:.0f} ms"
    line("merge 1,000 nodes, 100 changed each", f"{found['merge_ms']:.0f} ms", note)


def bench_engine() -> None:
    found = engine.measured()
    times = f"one at a time p50 {found['p50']:6.1f} ms   p99 {found['p99']:6.1f} ms"
    line(f"{engine.RUNS} chains of {engine.NODES} nodes", f"{found['chains_per_second']:.0f}/s", times)
    _show_fan_outs(found)
    for name, what in (("org", "event in the org's log"), ("run", "event in a run's log"), ("chain", "run of 8 nodes")):
        note = (
            f"{found[f'{name}_ms']:.2f} ms each, {found[f'{name}_growth']:.2f}x of it with {engine.LONG_LOG:,} stored"
        )
        line(f"{what}, one writer", f"{1000 / found[f'{name}_ms']:.0f}/s", note)


def bench_celery() -> None:
    for processes, found in brokered.measured():
        ours, bare = found["chains_per_second"], found["bare_chains_per_second"]
        note = f"{ours / bare:.2f}x Celery's bare chain ({bare:.0f}/s)"
        line(f"chains, Celery, {processes} processes", f"{ours:.0f}/s", note)
        _show_fan_outs(found)


def bench_pages() -> int:
    """Lists the slow ones and those that answer something else; how many are too slow or wrong."""
    timed = list(pages.measured())
    wrong = [found for found in timed if not found.fits]
    for found in sorted(timed, key=lambda found: -found.p95):
        if found.fits and found.p95 < pages.SHOWN_MS:
            continue
        said = "" if found.fits else f"   NOT under {pages.MOST_MS} ms: {found.status}"
        times = f"p50 {found.p50:6.1f} ms   cpu {found.cpu:6.1f} ms"
        note = f"{times}   {found.kilobytes:6.0f} KiB   {found.path}{said}"
        line("page", f"p95 {found.p95:.0f} ms", note)
    note = f"of {len(timed)}, each asked {pages.TIMES} times"
    line(f"pages not under {pages.MOST_MS} ms", str(len(wrong)), note)
    return len(wrong)


def _show_fan_outs(found: Mapping[str, float]) -> None:
    mapped = f"mapped over {engine.WIDE:,} items {found['mapped_seconds']:.2f} s"
    line(f"fan-out to {engine.WIDE:,} nodes", f"{found['fan-out_seconds']:.2f} s", mapped)


SERVED = {"idle": bench_idle, "http": bench_http, "runs": bench_runs, "streams": bench_streams, "agents": bench_agents}
ALONE: dict[str, Callable[[], int | None]] = {
    "engine": bench_engine,
    "celery": bench_celery,
    "versions": bench_versions,
    "pages": bench_pages,
}


def main() -> int:
    """How many pages are too slow; the other parts only tell."""
    slow = 0
    for name in sys.argv[1:] or (*SERVED, *ALONE):
        if name in ALONE:
            slow += ALONE[name]() or 0
            continue
        with serving() as server:
            SERVED[name](server)
    return slow


if __name__ == "__main__":
    sys.exit(min(main(), 1))
