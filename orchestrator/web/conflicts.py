"""Two editors of one thing: a form remembers the version that it was opened at, and when somebody was faster the person
sees both sides, field by field, and chooses. It is If-Match for people: no edit is lost without their knowing.

A form posts, beside its fields, ``version`` and ``base`` (the fields' texts when it was opened, as JSON), and from the
conflict page ``pick-<field>``, which is ``now`` or ``yours``. Texts are compared as a form holds them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
from django import forms
from django.http import QueryDict

from orchestrator.core.errors import ValidationFailed
from orchestrator.core.numbers import parse_number
from orchestrator.events.models import Event
from orchestrator.identity.actors import Actor
from orchestrator.web.people import Names

Texts = Mapping[str, str]
_LOOK_BACK: Final = 20


@dataclass(frozen=True, slots=True)
class Opened:
    """What a form was filled with."""

    version: int
    base: Texts

    @property
    def base_json(self) -> str:
        return orjson.dumps(dict(self.base)).decode()


@dataclass(frozen=True, slots=True)
class Difference:
    """A field that differs. ``choice`` is the side that nobody would argue about, or empty."""

    name: str
    label: str
    now: str
    yours: str
    choice: str


def opened(posted: QueryDict) -> Opened:
    """What the posted form says of itself; what makes no sense of the base is left out. Raises ValidationFailed."""
    version = parse_number(posted.get("version", ""))
    if version is None:
        raise ValidationFailed("The form does not say which version it was opened at. Open it again.")
    try:
        base = orjson.loads(posted.get("base") or "{}")
    except orjson.JSONDecodeError:
        base = {}
    known = base.items() if isinstance(base, dict) else ()
    return Opened(version, {name: value for name, value in known if isinstance(value, str)})


def picked(posted: QueryDict, now: Texts) -> QueryDict:
    """The posted fields, with the text of now where the person picked that."""
    data = posted.copy()
    for name, text in now.items():
        if posted.get(f"pick-{name}") == "now":
            data[name] = text
    return data


def differences(form: forms.Form, base: Texts, now: Texts) -> list[Difference]:
    """The fields in which the bound ``form`` and ``now`` differ. A side that alone has changed is the one to take."""
    found = []
    for name, text in now.items():
        yours = unix(str(form.data.get(name, "")))
        if yours != text:
            choice = {text: "yours", yours: "now"}.get(base[name], "") if name in base else ""
            found.append(Difference(name, str(form[name].label), text, yours, choice))
    return found


def meanwhile(actor: Actor, target: str, version: int, tell: Callable[[Event], str]) -> list[str]:
    """What happened to ``target`` after ``version``, oldest first: “Bob moved it to review”. Three queries at most."""
    rows = Event.objects.for_org(actor.org_id).filter(target=target).order_by("-seq")[:_LOOK_BACK]
    newer = [row for row in reversed(rows) if _version(row.details) > version]
    names = Names(actor.org_id, (row.actor for row in newer))
    told = (f"{names.spell(row.actor)} {tell(row)}" for row in newer)
    # An address stays as it is written.
    return [text if "@" in text.partition(" ")[0] else text[:1].upper() + text[1:] for text in told]


def unix(text: str) -> str:
    """A browser sends the lines of a text area with CR and LF."""
    return text.replace("\r\n", "\n")


def _version(details: Mapping[str, Any]) -> int:
    found = details.get("version")
    return found if isinstance(found, int) else 0
