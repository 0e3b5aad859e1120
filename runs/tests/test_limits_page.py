"""/dashboard/settings/limits: what the org may do at once, who holds a slot, and who waits."""

from typing import Any

import pytest

from orchestrator.web.tests.browser import faults, queries, sign_in
from runs.models import OrgLimits
from runs.services import org_limits
from runs.tests.limited import begin, limit_org, submit

LIMITS = "/dashboard/settings/limits"


@pytest.fixture(autouse=True)
def nothing_known() -> None:
    org_limits.forget()


def most(person: Any) -> int | None:
    return OrgLimits.objects.get(org=person.org).max_running_runs


def test_no_limit_says_so(alice: Any) -> None:
    page = sign_in(alice).get(LIMITS).content.decode()
    assert "Any number of runs of Org of alice" in page
    assert "No run is limited now" in page
    assert faults(page) == []


def test_holders_and_waiters_are_named(alice: Any) -> None:
    first, second = (submit(alice, limit=1) for _ in range(2))
    begin(first)
    begin(second)
    answer = sign_in(alice).get(LIMITS)
    (scope,) = answer.context["scopes"]
    assert (scope["label"], scope["held"], scope["waiting"], scope["capacity"]) == ("nightly", 1, 1, 1)
    assert [slot["run_id"] for slot in scope["holders"]] == [first.pk]
    assert [slot["run_id"] for slot in scope["waiters"]] == [second.pk]
    assert faults(answer.content.decode()) == []


def test_a_key_and_the_org_have_names_to_read(alice: Any) -> None:
    limit_org(alice, 1)
    begin(submit(alice, inputs={"city": "Rome"}, limit=1, key="inputs.city"))
    labels = [scope["label"] for scope in sign_in(alice).get(LIMITS).context["scopes"]]
    assert labels[0].startswith("nightly, key …")
    assert labels[1] == "The whole organization"


def test_nothing_of_another_org_shows(alice: Any, mallory: Any) -> None:
    begin(submit(alice, limit=1))
    assert sign_in(mallory).get(LIMITS).context["scopes"] == []


def test_administrators_set_it(alice: Any) -> None:
    client = sign_in(alice)
    client.post(LIMITS, {"version": 0, "max_running_runs": "5"})
    assert most(alice) == 5
    assert "<strong>5</strong> runs" in client.get(LIMITS).content.decode()
    client.post(LIMITS, {"version": 1, "max_running_runs": ""})
    assert most(alice) is None


@pytest.mark.parametrize("written", ["-1", "many", "10001"])
def test_nonsense_is_refused_at_the_field(alice: Any, written: str) -> None:
    answer = sign_in(alice).post(LIMITS, {"version": 0, "max_running_runs": written})
    assert answer.status_code == 422
    assert "errorlist" in answer.content.decode()
    assert faults(answer.content.decode()) == []


def test_who_was_overtaken_is_told_and_may_go_over_it(alice: Any) -> None:
    client = sign_in(alice)
    client.post(LIMITS, {"version": 0, "max_running_runs": "5"})
    answer = client.post(LIMITS, {"version": 0, "max_running_runs": "7"})
    assert answer.status_code == 412
    assert "meanwhile: to 5" in answer.content.decode()
    client.post(LIMITS, answer.context["form"].data)
    assert most(alice) == 7


def test_members_see_it_and_cannot_set_it(alice: Any, bob: Any, carol: Any) -> None:
    for person in (bob, carol):
        page = sign_in(person).get(LIMITS).content.decode()
        assert "Set the limit" not in page
        assert sign_in(person).post(LIMITS, {"version": 0, "max_running_runs": "5"}).status_code == 403


def test_events_of_the_limit_lead_here_and_nowhere_else(alice: Any, mallory: Any) -> None:
    org_limits.set_limits(actor=alice.actor, version=None, max_running_runs=3)
    client = sign_in(alice)
    assert f'href="{LIMITS}/{alice.org.pk}"' in client.get("/dashboard/events").content.decode()
    assert "<strong>3</strong> runs" in client.get(f"{LIMITS}/{alice.org.pk}").content.decode()
    assert client.get(f"{LIMITS}/{mallory.org.pk}").status_code == 404


def test_the_queries_do_not_grow_with_the_slots(alice: Any) -> None:
    begin(submit(alice, limit=1))
    client = sign_in(alice)
    few = queries(lambda: client.get(LIMITS))
    for number in range(5):
        begin(submit(alice, f"other-{number}", limit=1))
        begin(submit(alice, limit=1))
    assert queries(lambda: client.get(LIMITS)) == few
