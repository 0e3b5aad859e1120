"""What the tests of many processes ask of a cluster: any of its webs, which may be killed at any time."""

import itertools
import uuid
from collections import Counter
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx

from tests.cluster import ROOT
from tests.process.server import API_KEY, PATIENCE, environment, eventually

_SITE = f"{ROOT / 'tests/process/site'}:{ROOT}"


def environment_of(database_url: str, folder: Path, lease_seconds: int, **more: Any) -> dict[str, str]:
    """That of every process of a cluster; ``folder`` takes the file of effects."""
    effects = folder / "effects"
    effects.touch()
    return environment(
        database_url, PYTHONPATH=_SITE, EFFECTS=effects, LEASE_SECONDS=lease_seconds, LOG_LEVEL="INFO",
        SWEEP_SECONDS=0.3, RATE_LIMIT_USER="1000000/m", **more,
    )  # fmt: skip


class Client:
    """Asks one web after the other until one answers. What it creates, it creates once."""

    def __init__(self, ports: list[int]) -> None:
        self._ports = itertools.cycle(ports)
        self._client = httpx.Client(headers={"X-API-Key": API_KEY}, timeout=8)

    def close(self) -> None:
        self._client.close()

    def ask(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """An answer that is not a 5xx."""
        headers = {"Idempotency-Key": uuid.uuid4().hex} if method == "POST" else {}

        def answer() -> httpx.Response | None:
            url = f"http://127.0.0.1:{next(self._ports)}{path}"
            try:
                found = self._client.request(method, url, json=body, headers=headers)
            except httpx.TransportError:
                return None
            # 409 of this type: the first try was cut off, and its key is kept for a moment.
            again = found.status_code >= 500 or '"idempotency_conflict"' in found.text
            return None if again else found

        found: httpx.Response = eventually(answer, 60)
        return found

    def follow(self, run_id: str) -> AbstractContextManager[httpx.Response]:
        """The run's stream, for as long as it lasts."""
        url = f"http://127.0.0.1:{next(self._ports)}/runs/{run_id}/events/stream"
        return self._client.stream("GET", url, timeout=PATIENCE)

    def get(self, path: str) -> Any:
        answer = self.ask("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: Any) -> Any:
        answer = self.ask("POST", path, body)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def wait_until_it_answers(self) -> None:
        self.get("/api/v1/events?limit=1")

    def put_workflow(self, tag: str, definition: dict[str, Any]) -> None:
        self.post("/api/v1/workflows", {"tag": tag, "definition": definition})

    def start(self, workflow: str, /, **inputs: Any) -> str:
        return str(self.post("/runs", {"workflow": workflow, "inputs": inputs})["run_id"])

    def wait_for(self, runs: list[str], seconds: float = 60) -> None:
        """Until they have ended, all of them well."""
        left = list(runs)

        def ended() -> bool:
            while left:
                run = self.get(f"/api/v1/runs/{left[-1]}")
                if run["finished_at"] is None:
                    return False
                assert run["status"] == "succeeded", run
                left.pop()
            return True

        eventually(ended, seconds)

    def nodes(self, run_id: str) -> Any:
        return self.get(f"/api/v1/runs/{run_id}/nodes")["items"]

    def counts(self, run_id: str) -> dict[str, int]:
        return dict(Counter(event["phase"] for event in self.get(f"/runs/{run_id}/events")["items"]))

    def sequences(self, run_id: str) -> list[int]:
        return [event["sequence"] for event in self.get(f"/runs/{run_id}/events")["items"]]
