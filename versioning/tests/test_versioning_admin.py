"""The admin shows all versions and changes nothing, but for moves of tags through the service."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from conftest import Person
from orchestrator.events.models import Event
from orchestrator.identity.models import User
from versioning import admin
from versioning.models import Artifact, Blob, Tag, TagMove
from versioning.services import merges, tags, workflows
from versioning.tests.test_gc import moved, patched, root

BASE = "/admin/versioning/"
LISTS = ("blob", "artifact", "tag", "tagmove")


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def page(client: Client, path: str) -> str:
    answer = client.get(BASE + path)
    assert answer.status_code == 200, answer.status_code
    return answer.content.decode()


def act(client: Client, action: str, *names: str) -> Any:
    chosen = [str(tag.pk) for tag in Tag.objects.filter(name__in=names)]
    return client.post(f"{BASE}tag/", {"action": action, "_selected_action": chosen, "confirmed": "yes"}, follow=True)


def said(client: Client, action: str, *names: str) -> str:
    answer = act(client, action, *names)
    assert answer.status_code == 200
    return str(answer.content.decode())


def test_all_are_listed_and_searched(alice: Person, desk: Client) -> None:
    base = root(alice)
    patch = moved(alice, "flow", 5)
    assert base.definition_digest in page(desk, "blob/")
    assert all(text in page(desk, "artifact/") for text in (patch.definition_digest, "patch_set", str(base.id)))
    assert all(text in page(desk, "tag/") for text in ("flow", f"patch_set {patch.id}"))
    assert all(text in page(desk, "tagmove/") for text in (f"workflow {base.id}", f"patch_set {patch.id}"))
    for path in ("blob/?q=nothing", "artifact/?q=nothing", "tag/?q=nothing", "tagmove/?q=nothing"):
        assert str(patch.id) not in page(desk, path)
        assert base.definition_digest not in page(desk, path)


def test_newest_come_first(alice: Person, desk: Client) -> None:
    base = root(alice)
    patch = moved(alice, "flow", 5)
    shown = page(desk, "artifact/")
    assert shown.index(f"{patch.id}/change") < shown.index(f"{base.id}/change")


def test_a_blob_shows_its_size_and_not_its_content(alice: Person, desk: Client) -> None:
    blob = Blob.objects.get(digest=root(alice).definition_digest)
    shown = page(desk, f"blob/{blob.pk}/change/")
    assert str(len(blob.content.encode())) in shown
    assert "planner" not in shown
    assert "<textarea" not in shown


def test_an_artifact_shows_its_definition_for_people(alice: Person, desk: Client) -> None:
    root(alice)
    patch = moved(alice, "flow", 5)
    shown = page(desk, f"artifact/{patch.pk}/change/")
    assert "&quot;timeout_seconds&quot;: 5" in shown
    assert f"artifact/{patch.base_id}/change" in shown


def test_a_definition_is_text_whatever_is_in_it(alice: Person, desk: Client) -> None:
    root(alice)
    operations = [{"op": "add", "path": "/name", "value": "<script>alert(1)</script>"}]
    patch = workflows.patch_tag(actor=alice.actor, tag="flow", operations=operations).artifact
    shown = page(desk, f"artifact/{patch.pk}/change/")
    assert "&lt;script&gt;alert(1)" in shown
    assert "<script>alert" not in shown


def test_a_broken_version_is_shown_as_such(alice: Person, desk: Client) -> None:
    version = root(alice)
    Artifact.objects.filter(pk=version.pk).update(definition_digest="sha256:" + "0" * 64)
    Blob.objects.update(digest="sha256:" + "0" * 64)
    assert "does not come to" in page(desk, f"artifact/{version.pk}/change/")


def test_a_merge_shows_both_parents(alice: Person, desk: Client) -> None:
    side = patched(alice, root(alice), 1, "b")
    ours = moved(alice, "flow", 2)
    merges.merge_tag(actor=alice.actor, into="flow", theirs=side)
    assert f"{ours.id}, {side.id}" in page(desk, "artifact/")


def test_a_tag_shows_its_last_moves_first(alice: Person, desk: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin, "_MOVES", 3)
    root(alice)
    versions = [moved(alice, "flow", seconds) for seconds in range(1, 6)]
    shown = page(desk, f"tag/{Tag.objects.get().pk}/change/")
    rows = [shown.count(f"patch_set {version.id}") for version in versions]
    assert rows[0] == 0
    assert all(rows[1:])
    assert shown.rindex(f"patch_set {versions[4].id}") < shown.index(f"patch_set {versions[1].id}")


def test_nothing_can_be_added_changed_or_deleted(alice: Person, desk: Client) -> None:
    root(alice)
    before = [list(model.objects.values()) for model in (Blob, Artifact, Tag, TagMove)]
    for model in (Blob, Artifact, Tag, TagMove):
        where = f"{BASE}{model._meta.model_name}/"
        for path in ("add/", *(f"{row.pk}/{verb}/" for row in model.objects.all() for verb in ("change", "delete"))):
            assert desk.post(where + path, {"name": "forged", "post": "yes"}).status_code == 403
        assert "delete_selected" not in desk.get(where).content.decode()
    assert [list(model.objects.values()) for model in (Blob, Artifact, Tag, TagMove)] == before


def test_undo_and_redo_go_through_the_service(alice: Person, mallory: Person, operator: User, desk: Client) -> None:
    heads = {}
    for person in (alice, mallory):
        root(person)
        heads[person.org.pk] = moved(person, "flow", 5).id
    assert "Undone: 2." in said(desk, "undo", "flow")
    assert set(Tag.objects.values_list("artifact__depth", flat=True)) == {0}
    assert "Redone: 2." in said(desk, "redo", "flow")
    assert dict(Tag.objects.values_list("org_id", "artifact_id")) == heads
    recorded = Event.objects.filter(event__in=("tag_undone", "tag_redone"), actor=f"user:{operator.pk}")
    assert sorted(event.org_id for event in recorded) == sorted([*heads, *heads])


def test_what_is_refused_is_said_and_the_rest_is_done(alice: Person, desk: Client) -> None:
    root(alice)
    root(alice, "other")
    moved(alice, "flow", 5)
    shown = said(desk, "undo", "flow", "other")
    assert "Undone: 1." in shown
    assert "Refused for org-of-alice other: There is nothing to undo" in shown
    assert "Refused for org-of-alice flow: There is nothing to redo" not in said(desk, "redo", "flow")
    assert "Refused for org-of-alice flow: There is nothing to redo" in said(desk, "redo", "flow")


def test_protecting_and_deleting(alice: Person, desk: Client) -> None:
    root(alice)
    assert "Protected: 1." in said(desk, "protect", "flow")
    shown = said(desk, "delete_names", "flow")
    assert "Deleted: 0." in shown
    assert "is protected" in shown
    assert "Lifted: 1." in said(desk, "lift_protection", "flow")
    assert "Deleted: 1." in said(desk, "delete_names", "flow")
    assert Tag.objects.get().artifact is None
    assert "There is no tag" in said(desk, "undo", "flow")
    assert TagMove.objects.count() == 2


def test_staff_may_see_without_moving(alice: Person) -> None:
    user = User.objects.create_user("temp@example.com", is_staff=True)
    client = signed_in(user)
    assert client.get(f"{BASE}tag/").status_code == 403
    user.user_permissions.add(Permission.objects.get(codename="view_tag"))
    root(alice)
    moved(alice, "flow", 5)
    assert 'value="undo"' not in page(client, "tag/")
    act(client, "undo", "flow")
    assert Tag.objects.get().version == 2


@pytest.mark.parametrize("name", LISTS)
def test_a_list_costs_the_same_with_more_rows(alice: Person, desk: Client, name: str) -> None:
    counts = []
    for batch in range(2):
        for number in range(3):
            root(alice, f"flow{batch}{number}")
            moved(alice, f"flow{batch}{number}", batch * 10 + number + 1)
        with CaptureQueriesContext(connection) as captured:
            page(desk, f"{name}/")
        counts.append(len(captured))
    assert counts[0] == counts[1]


def test_a_tags_page_costs_the_same_with_more_moves(alice: Person, desk: Client) -> None:
    root(alice)
    counts = []
    for batch in range(2):
        for number in range(3):
            moved(alice, "flow", batch * 10 + number + 1)
        with CaptureQueriesContext(connection) as captured:
            page(desk, f"tag/{Tag.objects.get().pk}/change/")
        counts.append(len(captured))
    assert counts[0] == counts[1]


def test_deleted_tags_are_listed_too(alice: Person, desk: Client) -> None:
    root(alice)
    tags.delete_tag(actor=alice.actor, name="flow")
    assert "flow" in page(desk, "tag/")


def test_a_tag_is_moved_to_the_version_that_the_form_names(alice: Person, operator: User, desk: Client) -> None:
    first = root(alice)
    moved(alice, "flow", 5)
    tag = Tag.objects.get(name="flow")
    body = {"action": "move", "_selected_action": [str(tag.pk)]}
    assert "ref" in desk.post(f"{BASE}tag/", body).content.decode()
    missing = desk.post(f"{BASE}tag/", {**body, "confirmed": "yes"}).content.decode()
    assert "This field is required" in missing
    unknown = desk.post(f"{BASE}tag/", {**body, "confirmed": "yes", "ref": "nowhere"}, follow=True)
    assert "There is no version" in unknown.content.decode()
    done = desk.post(f"{BASE}tag/", {**body, "confirmed": "yes", "ref": str(first.pk), "message": "Back"}, follow=True)
    assert "Moved: 1." in done.content.decode()
    tag.refresh_from_db()
    assert tag.artifact_id == first.pk
    last = TagMove.objects.filter(tag=tag).latest("number")
    assert (last.kind, last.actor, last.message) == ("move", f"user:{operator.pk}", "Back")
