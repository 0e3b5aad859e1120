"""What is true for the request at hand and needed far from it: its id, for logs and errors."""

import re
import uuid
from contextvars import ContextVar

_ACCEPTED_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")

request_id: ContextVar[str] = ContextVar("request_id", default="")


def choose_request_id(sent: str | None) -> str:
    """The caller's id when it is well formed (CONTRACT §2), else a new one."""
    return sent if sent and _ACCEPTED_ID.fullmatch(sent) else uuid.uuid4().hex
