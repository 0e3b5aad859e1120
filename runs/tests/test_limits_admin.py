"""Operators set what an organization may do at once, and decide on patches, by the services."""

from django.test import Client

from conftest import Person
from orchestrator.events.models import Event
from orchestrator.identity.models import User
from runs.models import OrgLimits, RunPatch
from runs.services import patches
from runs.tests.patching import CHAIN, TYPED, types  # noqa: F401
from runs.tests.steps import start_graph

LIMITS = "/admin/runs/orglimits/"
PATCHES = "/admin/runs/runpatch/"


def test_limits_are_set_and_changed(alice: Person, operator: User, desk: Client) -> None:
    assert desk.post(f"{LIMITS}add/", {"org": alice.org.pk, "max_running_runs": "3"}).status_code == 302
    assert OrgLimits.objects.get().max_running_runs == 3
    assert desk.post(f"{LIMITS}{alice.org.pk}/change/", {"max_running_runs": ""}).status_code == 302
    assert OrgLimits.objects.get().max_running_runs is None
    assert set(Event.objects.filter(event="limits_changed").values_list("actor", flat=True)) == {f"user:{operator.pk}"}


def test_a_wrong_limit_is_a_fault_of_the_form(alice: Person, desk: Client) -> None:
    page = desk.post(f"{LIMITS}add/", {"org": alice.org.pk, "max_running_runs": "-1"}).content.decode()
    assert "greater than or equal to 0" in page
    assert not OrgLimits.objects.exists()


def test_limits_are_not_deleted(alice: Person, desk: Client) -> None:
    OrgLimits.objects.create(org=alice.org)
    assert desk.post(f"{LIMITS}{alice.org.pk}/delete/", {"post": "yes"}).status_code == 403


def test_a_patch_is_decided_on_with_a_comment(alice: Person, bob: Person, operator: User, desk: Client) -> None:
    run = start_graph(alice, CHAIN)
    patch = patches.submit_patch(actor=bob.actor, run_id=run.id, operations=TYPED, propose=True)
    body = {"action": "reject_selected", "_selected_action": [str(patch.pk)]}
    assert "comment" in desk.post(PATCHES, body).content.decode()
    answer = desk.post(PATCHES, {**body, "confirmed": "yes", "comment": "Not now"}, follow=True)
    assert "Rejected: 1." in answer.content.decode()
    decided = RunPatch.objects.get()
    assert (decided.state, decided.comment, decided.decided_by) == ("rejected", "Not now", f"user:{operator.pk}")
    again = desk.post(PATCHES, {**body, "confirmed": "yes"}, follow=True)
    assert "Refused for" in again.content.decode()
