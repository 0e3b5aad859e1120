"""Secrets in settings: ``{"env": "NODE_SECRET_GITHUB", "prefix": "Bearer "}`` stands for a value that only the server's
environment holds.
"""

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from django.conf import settings

from runs.nodes.base import NodeFailure

BLOT: Final = "[secret]"
SECRET_SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "properties": {
        "env": {"type": "string", "pattern": "^NODE_SECRET_[A-Za-z0-9_]+$"},
        "prefix": {"type": "string", "maxLength": 100},
    },
    "required": ["env"],
    "additionalProperties": False,
}
TEXT_OR_SECRET: Final[Mapping[str, Any]] = {"anyOf": [{"type": "string"}, SECRET_SCHEMA]}


class Secrets:
    """What one execution has looked up, so that none of it leaves by what the execution gives back."""

    def __init__(self, *known: str) -> None:
        self._forms: set[str] = set()
        for secret in filter(None, known):
            self._remember(secret)

    def value(self, setting: str | Mapping[str, str]) -> str:
        """The text itself, or the secret that it refers to. Raises ``secret_missing``."""
        if isinstance(setting, str):
            return setting
        name = setting["env"]
        try:
            # Nothing but NODE_SECRET_… is in there: a workflow cannot read the rest of the environment.
            secret = settings.NODE_SECRETS[name]
        except KeyError:
            message = f"The server's environment has no secret called {name}."
            raise NodeFailure("secret_missing", message, {"env": name}, permanent=True) from None
        self._remember(secret)
        return setting.get("prefix", "") + secret

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._forms)

    def hide(self, text: str) -> str:
        """``text`` with every secret blotted out, also where it is written as in JSON or in an address."""
        for form in sorted(self._forms, key=len, reverse=True):
            text = text.replace(form, BLOT)
        return text

    def _remember(self, secret: str) -> None:
        self._forms |= {secret, json.dumps(secret)[1:-1], quote(secret, safe="")}
