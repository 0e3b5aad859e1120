"""What rooms above this one show on a workflow's page: runs register theirs here (DESIGN §2)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from orchestrator.identity.actors import Actor
from versioning.models import Tag


@dataclass(frozen=True, slots=True)
class Usage:
    """``template`` shows what ``data(actor, tag)`` reads, as ``data``, in a fixed number of indexed queries;
    ``button`` is the template of a link among the page's buttons.
    """

    template: str
    data: Callable[[Actor, Tag], dict[str, Any]]
    button: str = ""


_usages: list[Usage] = []


def register(usage: Usage) -> None:
    _usages.append(usage)


def filled(actor: Actor, tag: Tag) -> Iterator[dict[str, Any]]:
    """Everything registered, with its data."""
    for usage in _usages:
        yield {"usage": usage, "data": usage.data(actor, tag)}
