"""What a run that does not move says of why."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from conftest import Person
from runs.models import OrgLimits, Run, Slot
from runs.nodes.base import NodeResult
from runs.services.waiting import waiting_on
from runs.tests.limited import begin, limit_org, submit
from runs.tests.steps import finish, node_type


@pytest.fixture(autouse=True)
def _quick() -> Iterator[None]:
    with node_type("quick", lambda _: NodeResult({}, "Done.")):
        yield


def asked(person: Person, run: Run) -> Any:
    return person.client.get(f"/api/v1/runs/{run.id}").json()["waiting_on"]


def test_a_queued_run_says_how_many_are_before_it(alice: Person, mallory: Person) -> None:
    first, other, last, urgent = submit(alice), submit(mallory), submit(alice), submit(alice, priority=5)
    places = [asked(alice, run)[0]["position"] for run in (urgent, first, last)]
    assert places == [1, 2, 4], "the workers are everybody's"
    assert asked(mallory, other) == [{"kind": "queue", "position": 3, "ahead": 2}]


def test_those_who_wait_for_a_limit_are_not_before_anybody(alice: Person) -> None:
    assert begin(submit(alice, limit=1)) is not None
    assert begin(submit(alice, limit=1)) is None
    assert asked(alice, submit(alice)) == [{"kind": "queue", "position": 1, "ahead": 0}]


def test_who_waits_for_a_limit_says_for_whom_as_of_now_and_its_place(alice: Person) -> None:
    runs = [submit(alice, limit=1) for _ in range(3)]
    attempt = begin(runs[0])
    assert [begin(run) for run in runs[1:]] == [None, None]
    scope = {"kind": "limit", "scope": "workflow:nightly", "limit": 1}
    assert asked(alice, runs[2]) == [{**scope, "holders": [str(runs[0].id)], "position": 2, "ahead": 1}]
    assert attempt is not None
    finish(attempt)
    assert asked(alice, runs[2]) == [{**scope, "holders": [str(runs[1].id)], "position": 1, "ahead": 0}]
    assert asked(alice, runs[1])[0]["kind"] == "queue", "it has its slot and waits for a worker"


def test_no_more_than_ten_holders_are_named(alice: Person) -> None:
    limit_org(alice, 12)
    assert all(begin(submit(alice)) for _ in range(12))
    run = submit(alice)
    assert begin(run) is None
    found = asked(alice, run)[0]
    assert (found["limit"], len(found["holders"])) == (12, 10)


def test_who_moves_waits_for_nothing(alice: Person) -> None:
    run = submit(alice)
    attempt = begin(run)
    assert asked(alice, run) is None
    assert attempt is not None
    finish(attempt)
    assert asked(alice, run) is None


def test_it_costs_a_few_looks_however_long_the_line(alice: Person) -> None:
    assert begin(submit(alice, limit=1)) is not None
    held = [submit(alice, limit=1) for _ in range(6)]
    assert [begin(run) for run in held] == [None] * 6
    free = submit(alice)
    for run, most in ((free, 1), (held[0], 3), (held[-1], 3)):
        run.refresh_from_db()
        with CaptureQueriesContext(connection) as took:
            assert waiting_on(run)
        assert len(took) <= most


def test_operators_see_who_holds_what(alice: Person) -> None:
    limit_org(alice, 1)
    run = submit(alice, limit=1)
    assert begin(run) is not None
    alice.user.is_staff = alice.user.is_superuser = True
    alice.user.save()
    desk = Client()
    desk.force_login(alice.user)
    request = desk.get("/admin/").wsgi_request
    for model, row in ((Slot, Slot.objects.get(run=run, scope="org")), (OrgLimits, OrgLimits.objects.get())):
        found = admin.site.get_model_admin(model)
        assert found.get_object(request, str(row.pk)) == row
        assert found.changelist_view(request).status_code == 200
        assert not found.has_delete_permission(request, row)
    slots = admin.site.get_model_admin(Slot)
    assert not slots.has_add_permission(request)
    assert not slots.has_change_permission(request)
