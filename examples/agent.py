"""A reference agent: it registers, proves that it is alive, pulls tasks and prompts, logs, and hands back what it did.

    ORCHESTRATOR_URL=http://localhost:8000 ORCHESTRATOR_API_KEY=… python examples/agent.py

It needs httpx and nothing of the server. Whatever is restarted, server or agent, no work is done twice: a late answer
is of a lease that is not good any more, and is refused. With a key that is bound to a runtime agent it is that one.
"""

import os
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx

BASE = os.environ.get("ORCHESTRATOR_URL", "http://localhost:8000")
KEY = os.environ.get("ORCHESTRATOR_API_KEY", "")
NAME = os.environ.get("AGENT_NAME", "reference-agent")
BEAT_SECONDS = float(os.environ.get("AGENT_BEAT_SECONDS", "15"))
LEASE_SECONDS = int(os.environ.get("AGENT_LEASE_SECONDS", "30"))


class Agent:
    """One runtime agent of the definition NAME. ``work`` does a task, ``answer`` says something to a prompt's text."""

    def __init__(self, work: Callable[[dict[str, Any]], dict[str, Any]], answer: Callable[[str], str]) -> None:
        self.work, self.answer = work, answer
        self.keep: tuple[str, dict[str, Any]] | None = None  # the call that keeps the lease of what is in hand
        self.http = httpx.Client(base_url=f"{BASE}/api/v1", headers={"X-API-Key": KEY}, timeout=60)
        self.id = self._register()
        self.stopping = threading.Event()

    def run(self) -> None:
        """Pull and work until ``stopping`` is set."""
        threading.Thread(target=self._beat, daemon=True).start()
        while not self.stopping.is_set():
            answer = self._call("POST", f"/runtime/agents/{self.id}/next", {"ttl_seconds": LEASE_SECONDS})
            if answer.status_code == 200:
                self._carry_out(answer.json())

    def _register(self) -> str:
        kind, _, own = str(self._call("GET", "/auth/me").json()["actor"]).partition(":")
        if kind == "agent":
            return own
        found = self._call("GET", f"/agents?q={NAME}").json()["items"]
        agent = next((item for item in found if item["name"] == NAME), None)
        agent = agent or self._call("POST", "/agents", {"name": NAME, "agent_type": "utility"}).json()
        body = {"agent_id": agent["id"], "session_id": os.environ.get("AGENT_SESSION", "reference")}
        return str(self._call("POST", "/runtime/agents", body).json()["id"])

    def _carry_out(self, handed: dict[str, Any]) -> None:
        self._status("executing")
        ended = self._answer(handed["prompt"]) if handed["kind"] == "prompt" else self._complete(handed)
        self.keep = None
        # 409: the lease ran out, or somebody took the work away; what was done does not count.
        self._log("INFO" if ended.is_success else "WARNING", f"Ended a {handed['kind']}: {ended.status_code}")
        self._status("idle")

    def _complete(self, lease: dict[str, Any]) -> httpx.Response:
        path, token = f"/collab/leases/{lease['lease_id']}", {"token": lease["token"]}
        self.keep = (f"{path}/heartbeat", token)
        try:
            end, said = "complete", {"result": self.work(lease["task"])}
        except Exception as error:  # whatever went wrong: the task goes back, with the reason
            end, said = "fail", {"error": str(error) or type(error).__name__}
        return self._call("POST", f"{path}/{end}", {**token, **said})

    def _answer(self, prompt: dict[str, Any]) -> httpx.Response:
        path = f"/runtime/prompts/{prompt['id']}"
        self.keep = (f"{path}/heartbeat", {})
        try:
            said = {"status": "completed", "response_text": self.answer(prompt["prompt_text"])}
        except Exception as error:
            said = {"status": "failed", "error": str(error) or type(error).__name__}
        return self._call("PATCH", path, said)

    def _status(self, status: str) -> None:
        self._call("PATCH", f"/runtime/agents/{self.id}", {"status": status})

    def _log(self, level: str, message: str) -> None:
        self._call("POST", "/runtime/logs", {"runtime_agent_id": self.id, "level": level, "message": message})

    def _beat(self) -> None:
        while not self.stopping.wait(BEAT_SECONDS):
            self._call("POST", f"/runtime/agents/{self.id}/heartbeat")
            if keep := self.keep:
                self._call("POST", *keep)

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        """One request, again and again while the server is away, too busy or asks to slow down."""
        while True:
            try:
                answer = self.http.request(method, path, json=body)
                if answer.status_code not in (429, 503):
                    return answer
                time.sleep(min(5, float(answer.headers.get("Retry-After", 1))))
            except httpx.TransportError:
                time.sleep(0.5)


def count_words(task: dict[str, Any]) -> dict[str, Any]:
    """The work of this example."""
    return {"words": words_of(f"{task['title']} {task['description']}")}


def words_of(text: str) -> int:
    return len(text.split())


if __name__ == "__main__":
    Agent(count_words, lambda text: f"Words: {words_of(text)}.").run()
