"""Prometheus figures of this process, served at /metrics."""

import functools

from prometheus_client import Counter, Gauge, Histogram

_requests = Counter("orchestrator_http_requests_total", "Answered requests.", ["method", "route", "status"])
_seconds = Histogram(
    "orchestrator_http_request_seconds", "Time to answer, streams until their first byte.", ["method", "route"]
)
runs_finished = Counter("orchestrator_runs_finished_total", "Runs that this process finished.", ["status"])
stream_readers = Gauge("orchestrator_stream_readers", "Open event streams in this process.")


def observe_request(method: str, route: str, status: int, seconds: float) -> None:
    counter, histogram = _series(method, route, status)
    counter.inc()
    histogram.observe(seconds)


@functools.lru_cache(maxsize=4096)
def _series(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    return _requests.labels(method, route, str(status)), _seconds.labels(method, route)
