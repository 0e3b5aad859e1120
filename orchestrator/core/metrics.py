"""Prometheus figures of this process, served at /metrics."""

from prometheus_client import Counter, Gauge, Histogram

_requests = Counter("orchestrator_http_requests_total", "Answered requests.", ["method", "route", "status"])
_seconds = Histogram(
    "orchestrator_http_request_seconds", "Time to answer, streams until their first byte.", ["method", "route"]
)
runs_finished = Counter("orchestrator_runs_finished_total", "Runs that this process finished.", ["status"])
stream_readers = Gauge("orchestrator_stream_readers", "Open event streams in this process.")


def observe_request(method: str, route: str, status: int, seconds: float) -> None:
    _requests.labels(method, route, str(status)).inc()
    _seconds.labels(method, route).observe(seconds)
