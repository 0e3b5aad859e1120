"""How many runs of an org go on at once: who takes turns, what sub-runs take, and how it is set."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from conftest import Person
from orchestrator.core.errors import PermissionDenied, PreconditionFailed
from orchestrator.events.models import Event
from runs.engine import sweeper
from runs.models import Run, Slot
from runs.nodes.base import NodeResult
from runs.services import executions, org_limits
from runs.tests.limited import begin, holders, limit_org, status, submit, waiting
from runs.tests.steps import ME, finish, node_type

PATH = "/api/v1/limits"


@pytest.fixture(autouse=True)
def _quick() -> Iterator[None]:
    org_limits.forget()
    with node_type("quick", lambda _: NodeResult({}, "Done.")):
        yield


def put(client: Client, most: Any, **headers: str) -> Any:
    return client.put(PATH, {"max_running_runs": most}, content_type="application/json", headers=headers)


def served(first: Any) -> list[Run]:
    """Who has the org's one slot, one after the other, each until it has ended."""
    order = []
    while first is not None:
        finish(first)
        held = holders("org")
        run = Run.objects.get(pk=held[0]) if held else None
        order += [run] if run else []
        first = begin(run) if run else None
    return order


def test_one_too_many_of_an_org_waits(alice: Person, mallory: Person) -> None:
    limit_org(alice, 2)
    runs = [submit(alice), submit(alice, "hourly"), submit(alice)]
    attempts = [begin(run) for run in runs]
    assert [attempt is not None for attempt in attempts] == [True, True, False]
    assert waiting(runs[2])[0] == {
        "kind": "limit", "scope": "org", "limit": 2, "holders": [str(run.id) for run in runs[:2]],
    }  # fmt: skip
    assert begin(submit(mallory)) is not None
    assert attempts[0] is not None
    finish(attempts[0])
    assert begin(runs[2]) is not None
    assert Slot.objects.filter(org=alice.org).count() == 2


def test_keys_take_turns_however_many_runs_of_one_came_first(alice: Person) -> None:
    limit_org(alice, 1)
    going = begin(submit(alice, "first"))

    def of(key: str) -> Run:
        run = submit(alice, inputs={"key": key}, limit=10, key="inputs.key")
        assert begin(run) is None
        return run

    crowd = [of("crowd") for _ in range(4)]
    one, other = [of("one"), of("one")], [of("other")]
    assert served(going) == [crowd[0], one[0], other[0], crowd[1], one[1], crowd[2], crowd[3]]


def test_workflows_without_a_limit_of_their_own_take_turns_too(alice: Person) -> None:
    limit_org(alice, 1)
    going = begin(submit(alice, "first"))
    crowd = [submit(alice, "crowd") for _ in range(3)]
    assert [begin(run) for run in crowd] == [None] * 3
    single = submit(alice, "single")
    assert begin(single) is None
    assert served(going) == [crowd[0], single, crowd[1], crowd[2]]


def test_who_comes_back_does_not_pass_those_who_waited(alice: Person) -> None:
    limit_org(alice, 1)
    going = begin(submit(alice, "first"))
    crowd = [submit(alice, "crowd") for _ in range(3)]
    assert [begin(run) for run in crowd] == [None] * 3
    assert going is not None
    finish(going)
    going = begin(crowd[0])
    again = submit(alice, "first")
    assert begin(again) is None
    assert served(going) == [again, crowd[1], crowd[2]]


def test_priority_comes_before_turns(alice: Person) -> None:
    limit_org(alice, 1)
    going = begin(submit(alice, "first"))
    low, high = submit(alice, "a"), [submit(alice, "b", priority=9) for _ in range(2)]
    assert [begin(run) for run in (low, *high)] == [None] * 3
    assert served(going) == [*high, low]


def test_a_run_takes_all_its_slots_or_none(alice: Person) -> None:
    """Who waits for the org holds nothing that another one could use."""
    limit_org(alice, 1)
    going = begin(submit(alice, "first"))
    keyed, other = submit(alice, limit=1), submit(alice, limit=1)
    assert (begin(keyed), begin(other)) == (None, None)
    assert holders("workflow:nightly") == []
    assert served(going) == [keyed, other]
    assert not Slot.objects.exists()


def test_who_waits_for_its_key_does_not_stand_in_the_orgs_way(alice: Person) -> None:
    limit_org(alice, 2)
    going = begin(submit(alice, limit=1))
    behind = [submit(alice, limit=1) for _ in range(60)]
    assert not any(begin(run) for run in behind)
    other = begin(submit(alice, "other"))
    late = submit(alice, "late")
    assert begin(late) is None
    assert other is not None
    finish(other)
    assert late.id in holders("org")
    assert going is not None
    finish(going)
    assert set(holders("org")) == {late.id, behind[0].id}


def test_a_key_that_is_taken_while_its_run_waits_for_the_org(alice: Person) -> None:
    """Its turn passes to the next, and it waits for its key."""
    limit_org(alice, 1)
    parent = submit(alice, "first")
    going = begin(parent)
    keyed, next_one = submit(alice, limit=1), submit(alice, "next")
    assert (begin(keyed), begin(next_one)) == (None, None)
    child = submit(alice, parent=parent, limit=1)  # takes no slot of the org
    attempt = begin(child)
    assert attempt is not None
    assert going is not None
    finish(going)
    assert holders("org") == [next_one.id]
    assert waiting(keyed)[0]["scope"] == "workflow:nightly"
    finish(attempt)
    assert waiting(keyed)[0]["scope"] == "org"


def test_sub_runs_take_no_slot_of_the_org(alice: Person) -> None:
    limit_org(alice, 1)
    parent = submit(alice)
    assert begin(parent) is not None
    assert begin(submit(alice, "within", parent=parent)) is not None
    assert holders("org") == [parent.id]


# --- how it is set ----------------------------------------------------------------------------------------------------


def test_the_servers_default_counts_where_nothing_is_set(alice: Person, settings: LazySettings) -> None:
    settings.ORG_MAX_RUNNING = 1
    assert begin(submit(alice)) is not None
    second = submit(alice)
    assert begin(second) is None
    limit_org(alice, 0)
    sweeper.sweep(ME)
    assert begin(second) is not None


def test_a_higher_limit_lets_those_go_that_wait(alice: Person) -> None:
    limit_org(alice, 1)
    runs = [submit(alice) for _ in range(4)]
    assert [begin(run) is not None for run in runs] == [True, False, False, False]
    put(alice.client, 3)
    sweeper.sweep(ME)
    assert holders("org") == [run.id for run in runs[:3]]
    put(alice.client, 0)
    sweeper.sweep(ME)
    assert [waiting(run) for run in runs] == [None] * 4
    assert [begin(run) is not None for run in runs[1:]] == [True] * 3


def test_a_lower_limit_cancels_nothing(alice: Person) -> None:
    limit_org(alice, 3)
    attempts = [begin(submit(alice)) for _ in range(3)]
    limit_org(alice, 1)
    waits = submit(alice)
    assert begin(waits) is None
    for attempt in attempts:
        assert attempt is not None
        assert holders("org").count(waits.id) == 0
        finish(attempt)
    assert holders("org") == [waits.id]


def test_slots_taken_under_a_limit_are_freed_when_there_is_none_any_more(alice: Person) -> None:
    limit_org(alice, 1)
    attempt = begin(submit(alice))
    limit_org(alice, None)
    assert attempt is not None
    finish(attempt)
    assert not Slot.objects.exists()


def test_without_a_limit_nothing_is_asked(alice: Person) -> None:
    """A run without limits begins and ends with the statements of its steps alone; a first one looks at the org."""
    asked = []
    for _ in range(2):
        run = submit(alice)
        with CaptureQueriesContext(connection) as took:
            attempt = begin(run)
            assert attempt is not None
            finish(attempt)
        asked.append([query["sql"] for query in took if "slot" in query["sql"] or "limits" in query["sql"]])
    assert [len(of_run) for of_run in asked] == [1, 0]


def test_the_limits_of_an_org_are_read_and_written(alice: Person) -> None:
    first = alice.client.get(PATH)
    assert first.json() == {
        "max_running_runs": None, "default_max_running_runs": 0, "version": 0, "updated_at": None,
    }  # fmt: skip
    assert alice.client.get(PATH, headers={"If-None-Match": first["ETag"]}).status_code == 304
    written = put(alice.client, 5, **{"If-Match": first["ETag"]})
    assert (written.status_code, written.json()["max_running_runs"], written.json()["version"]) == (200, 5, 1)
    assert put(alice.client, 6, **{"If-Match": first["ETag"]}).status_code == 412
    assert put(alice.client, None).json()["max_running_runs"] is None
    assert alice.client.get(PATH).json()["version"] == 2
    event = Event.objects.filter(event="limits_changed").latest("seq")
    assert (event.actor, event.details) == (str(alice.actor), {"max_running_runs": None})


@pytest.mark.parametrize("most", [-1, 10_001, "5", 1.5, True, [1]])
def test_what_is_no_limit_is_refused(alice: Person, most: Any) -> None:
    assert put(alice.client, most).status_code == 422
    assert put(alice.client, 1, **{"Content-Type": "application/json"}).status_code == 200
    assert alice.client.put(PATH, {}, content_type="application/json").status_code == 422


def test_only_administrators_set_limits_and_only_their_orgs(
    alice: Person, bob: Person, mallory: Person, api_client: Callable[..., Client]
) -> None:
    assert put(bob.client, 5).status_code == 403
    assert put(api_client("read", "write"), 5).status_code == 403
    assert put(api_client("admin"), 5).status_code in (200, 403)
    assert bob.client.get(PATH).status_code == 200
    put(mallory.client, 7)
    assert alice.client.get(PATH).json()["max_running_runs"] in (None, 5)
    with pytest.raises(PermissionDenied):
        org_limits.set_limits(actor=bob.actor, version=None, max_running_runs=1)
    with pytest.raises(PreconditionFailed):
        org_limits.set_limits(actor=alice.actor, version=99, max_running_runs=1)


def test_a_run_of_an_org_at_its_limit_is_still_queued(alice: Person) -> None:
    limit_org(alice, 1)
    assert begin(submit(alice)) is not None
    run = submit(alice)
    assert begin(run) is None
    assert status(run) == "queued"


def test_a_process_that_remembers_a_run_from_before_it_waited_frees_its_place(alice: Person) -> None:
    first, run = submit(alice), submit(alice)
    with transaction.atomic():
        known = executions.open_locked(run.id)
    assert known is not None
    limit_org(alice, 1)
    assert begin(first) is not None
    assert begin(run) is None
    limit_org(alice, None)
    executions.keep(known)
    attempt = begin(run)
    assert attempt is not None
    finish(attempt)
    assert not Slot.objects.filter(run=run).exists()
