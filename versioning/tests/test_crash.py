"""Nothing is half written: whichever statement of a service fails, the database is what it was before.

The commits and rollbacks are real ones; in a test inside a transaction a service that forgot its own would look right.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest
from django.apps import apps
from django.db import OperationalError, connection, transaction

from conftest import Person
from orchestrator.identity.actors import Actor
from runs import definitions
from runs.services import submission
from versioning import materialisation, refs
from versioning.models import Artifact, Tag
from versioning.services import artifacts, merges, tags, workflows
from versioning.tests.calls import definition, set_timeout

pytestmark = pytest.mark.django_db(transaction=True)

Service = Callable[[Actor], Any]

CHAIN_LIMIT: Final = 2  # so that a patch on "long" makes a compaction, too
WRITES: Final = ("INSERT", "UPDATE", "DELETE")
ADD_NODE: Final = {"op": "add", "path": "/nodes/c", "value": {"type": "planner", "needs": ["b"]}}


class Crash(Exception):
    """Stands for whatever may go wrong on the way to the database."""


def at(actor: Actor, ref: str) -> Artifact:
    return refs.resolve(actor.org_id, ref)


def compacted(actor: Actor) -> Artifact:
    """As its callers do: in a transaction of theirs."""
    with transaction.atomic():
        return artifacts.compact(at(actor, "long~1"), actor)


SERVICES: Final[dict[str, Service]] = {
    "create_workflow": lambda actor: workflows.create_workflow(actor=actor, tag="new", definition=definition("z")),
    "a deleted tag's new life": lambda actor: workflows.create_workflow(
        actor=actor, tag="gone", definition=definition("z")
    ),
    "create_tag": lambda actor: tags.create_tag(actor=actor, name="branch", artifact=at(actor, "flow~1")),
    "patch_tag": lambda actor: workflows.patch_tag(actor=actor, tag="flow", operations=[set_timeout(9)]),
    "patch_tag on a long chain": lambda actor: workflows.patch_tag(
        actor=actor, tag="long", operations=[set_timeout(9)]
    ),
    "patch_version": lambda actor: workflows.patch_version(
        actor=actor, base=at(actor, "long"), operations=[set_timeout(9)]
    ),
    "move_tag": lambda actor: tags.move_tag(actor=actor, name="flow", to=at(actor, "flow~1")),
    "undo_tag": lambda actor: tags.undo_tag(actor=actor, name="flow"),
    "redo_tag": lambda actor: tags.redo_tag(actor=actor, name="flow"),
    "delete_tag": lambda actor: tags.delete_tag(actor=actor, name="flow"),
    "protect_tag": lambda actor: tags.protect_tag(actor=actor, name="flow", protected=True),
    "merge_tag": lambda actor: merges.merge_tag(actor=actor, into="flow", theirs=at(actor, "long")),
    "revert": lambda actor: merges.revert(actor=actor, tag="long", undone=at(actor, "long")),
    "compact": compacted,
    "start_run": lambda actor: submission.start_run(actor=actor, workflow="flow", inputs={}),
    "the built-in workflow": lambda actor: definitions.ensure_built_in(actor.org_id),
}


@pytest.fixture
def actor(alice: Person, monkeypatch: pytest.MonkeyPatch) -> Actor:
    """Of an org where each of the services has something to do."""
    actor = alice.actor
    workflows.create_workflow(actor=actor, tag="flow", definition=definition("a", "b"))
    tags.create_tag(actor=actor, name="long", artifact=at(actor, "flow"))
    for operation in (ADD_NODE, set_timeout(1, "c")):
        workflows.patch_tag(actor=actor, tag="long", operations=[operation])
    for seconds in (1, 2, 3):
        workflows.patch_tag(actor=actor, tag="flow", operations=[set_timeout(seconds, "b")])
    tags.undo_tag(actor=actor, name="flow")
    workflows.create_workflow(actor=actor, tag="gone", definition=definition("a"))
    tags.delete_tag(actor=actor, name="gone")
    monkeypatch.setattr(artifacts, "CHAIN_LIMIT", CHAIN_LIMIT)
    return actor


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
def test_a_failing_statement_leaves_nothing_behind(actor: Actor, service: Service) -> None:
    before, failed = everything(), list[str]()
    while (statement := crash_of(service, actor, len(failed))) is not None:
        assert everything() == before, statement
        failed.append(statement)
    assert sum(statement.split()[0] in WRITES for statement in failed) >= 2
    assert everything() != before, "in the end the same call succeeded"


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
def test_a_failing_commit_leaves_nothing_behind(
    actor: Actor, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = everything()
    with monkeypatch.context() as broken:
        broken.setattr(connection, "_commit", refuse_to_commit)
        with pytest.raises(OperationalError, match="gone away"):
            service(actor)
    assert everything() == before
    service(actor)
    assert everything() != before


def crash_of(service: Service, actor: Actor, number: int) -> str | None:
    """Call the service while its statement of this number, counted from 0, fails: the statement, if it came to it."""
    materialisation.forget()
    try:
        with failing(number):
            service(actor)
    except Crash as crash:
        return str(crash)
    return None


@contextmanager
def failing(number: int) -> Iterator[None]:
    seen = 0

    def execute(run: Callable[..., Any], *statement: Any) -> Any:
        nonlocal seen
        seen += 1
        if seen == number + 1:
            raise Crash(statement[0])
        return run(*statement)

    with connection.execute_wrapper(execute):
        yield


def refuse_to_commit() -> None:
    raise OperationalError("The server has gone away.")


def everything() -> dict[str, list[Any]]:
    """All rows that any of the services may write."""
    assert not connection.in_atomic_block
    models = [model for app in ("versioning", "events", "runs") for model in apps.get_app_config(app).get_models()]
    assert {Artifact, Tag} <= {*models}
    return {model.__name__: list(model._base_manager.order_by("pk").values()) for model in models}
