"""A small ASGI client that reads a stream piece by piece; httpx would wait for its end."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from asgiref.typing import Scope

PATIENCE = 10.0  # seconds


@dataclass(frozen=True)
class Frame:
    """One SSE frame. A comment has no event, and its text as data."""

    event: str
    data: Any
    id: int | None = None


class Stream:
    """One open response. The socket holds ``buffer`` pieces that nobody has read; then the server must wait."""

    def __init__(self, application: Any, path: str, headers: dict[str, str], method: str, buffer: int) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.ended = False
        self._text = ""
        self._pieces: asyncio.Queue[dict[str, Any]] = asyncio.Queue(buffer)
        self._left = asyncio.Event()
        self._asked = False
        self.task = asyncio.create_task(application(_scope(path, headers, method), self._receive, self._pieces.put))

    async def _receive(self) -> dict[str, Any]:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _next_piece(self) -> dict[str, Any]:
        """The next message of the server; ``ended`` when it went away without a last one."""
        waiting = asyncio.create_task(self._pieces.get())
        async with asyncio.timeout(PATIENCE):
            await asyncio.wait({waiting, self.task}, return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done() and self._pieces.empty():
            waiting.cancel()
            await self.task  # raises what it raised
            self.ended = True
            return {"type": "http.response.body"}
        return await waiting

    async def begin(self) -> None:
        start = await self._next_piece()
        self.status = start["status"]
        self.headers = {name.decode().lower(): value.decode() for name, value in start["headers"]}

    async def text(self) -> str:
        """The next piece as it came; empty at the end."""
        while not self.ended:
            piece = await self._next_piece()
            self.ended = self.ended or not piece.get("more_body", False)
            if piece.get("body"):
                return str(piece["body"].decode())
        return ""

    async def frame(self) -> Frame | None:
        """The next frame; None at the end."""
        while "\n\n" not in self._text:
            piece = await self.text()
            if not piece:
                assert not self._text, "the stream broke off within a frame"
                return None
            self._text += piece
        raw, self._text = self._text.split("\n\n", 1)
        return _parsed(raw)

    async def frames(self, count: int | None = None, *, comments: bool = False) -> list[Frame]:
        """The next ``count`` frames, or all until the end; comments are left out unless asked for."""
        found: list[Frame] = []
        while (count is None or len(found) < count) and (frame := await self.frame()) is not None:
            if frame.event or comments:
                found.append(frame)
        return found

    async def json(self) -> Any:
        return json.loads("".join([piece async for piece in self._rest()]))

    async def _rest(self) -> AsyncIterator[str]:
        while piece := await self.text():
            yield piece

    async def leave(self) -> None:
        """The client closes its connection."""
        self._left.set()
        while not self.task.done():
            await asyncio.sleep(0)
            while not self._pieces.empty():
                self._pieces.get_nowait()
        await asyncio.gather(self.task, return_exceptions=True)


def _scope(path: str, headers: dict[str, str], method: str) -> Scope:
    parts = urlsplit(path)
    names = {"host": "localhost", **{name.lower(): value for name, value in headers.items()}}
    return {  # type: ignore[return-value]
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "method": method,
        "scheme": "http", "path": parts.path, "raw_path": quote(parts.path).encode(),
        "query_string": parts.query.encode(),
        "root_path": "", "headers": [(name.encode(), value.encode()) for name, value in names.items()],
        "client": ("127.0.0.1", 1), "server": ("localhost", 80),
    }  # fmt: skip


def _parsed(raw: str) -> Frame:
    if raw.startswith(":"):
        return Frame("", raw.removeprefix(":").strip())
    fields = dict(line.split(": ", 1) for line in raw.split("\n"))
    assert fields.keys() <= {"event", "id", "data"}, raw
    return Frame(fields["event"], json.loads(fields["data"]), int(fields["id"]) if "id" in fields else None)


class Client:
    """Opens streams as one person, and leaves those that are still open when the test ends."""

    def __init__(self, application: Any) -> None:
        self._application = application
        self._open: list[Stream] = []

    async def open(
        self, path: str, token: str = "", *, method: str = "GET", buffer: int = 1000, **headers: str
    ) -> Stream:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            named["Authorization"] = f"Bearer {token}"
        stream = Stream(self._application, path, named, method, buffer)
        self._open.append(stream)
        await stream.begin()
        return stream

    async def close(self) -> None:
        for stream in self._open:
            await stream.leave()


async def until(condition: Callable[[], Any], seconds: float = PATIENCE) -> None:
    """Wait until ``condition`` holds."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.002)
