"""Many writers at once on the same names and contents, each on a connection of its own."""

import contextlib
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final

import pytest
from django.conf import settings
from django.db import transaction
from django.test import Client

from conftest import Person
from orchestrator.core.canonical import canonical_document, digest
from orchestrator.core.errors import NotFound
from orchestrator.events.models import Event
from runs.models import Run
from runs.services import submission
from tasks.tests.calls import send
from tasks.tests.test_races import race, statuses
from versioning import materialisation, refs
from versioning.models import Artifact, ArtifactKind, Blob, Tag, TagMove
from versioning.services import artifacts, pins, tags, workflows
from versioning.tests.calls import API, create, definition, get, patch, set_timeout

pytestmark = pytest.mark.django_db(transaction=True)

FORWARD: Final = ("create", "move", "patch", "merge")


def caller(
    person: Person, method: str, path: str, body: Any = None, if_match: str | None = None, **headers: str
) -> Callable[[], Any]:
    client = Client(headers={"Authorization": f"Bearer {person.access_token}"})
    return lambda: send(client, method, f"{API}/{path}", body, if_match=if_match, **headers)


def patcher(person: Person, operation: Any, if_match: str | None = None, tag: str = "flow") -> Callable[[], Any]:
    return caller(person, "POST", "patches", {"tag": tag, "operations": [operation]}, if_match)


def counts() -> dict[str, int]:
    return {model.__name__: model.objects.count() for model in (Artifact, Blob, Tag, TagMove, Event)}


def added(before: dict[str, int]) -> dict[str, int]:
    return {name: count - before[name] for name, count in counts().items() if count != before[name]}


def read_back(person: Person) -> None:
    """Every version comes to what its address says, from the rows alone."""
    materialisation.forget()
    for artifact in Artifact.objects.for_org(person.org.id):
        found = materialisation.definition_of(artifact)
        assert digest(canonical_document(found)) == artifact.definition_digest
        materialisation.forget()


def replayed(name: str) -> Tag:
    """The tag, after its moves were walked again from the first and led to where it stands."""
    tag = Tag.objects.get(name=name)
    line: list[Any] = []
    position, head = -1, None
    moves = list(TagMove.objects.filter(tag=tag).order_by("number"))
    assert [move.number for move in moves] == list(range(1, tag.move_count + 1))
    for move in moves:
        assert move.from_artifact_id == head
        if move.kind in FORWARD:
            line = [*line[: position + 1], move.to_artifact_id]
            position += 1
        elif move.kind != "delete":
            position += 1 if move.kind == "redo" else -1
            assert move.to_artifact_id == line[position]
        head = move.to_artifact_id
        if head is None:
            line, position = [], -1
    assert tag.artifact_id == head
    assert head is None or (tag.position, tag.last_position) == (position, len(line) - 1)
    return tag


def test_one_of_twenty_patches_with_the_same_tag_wins(alice: Person) -> None:
    etag = create(alice)["ETag"]
    before = counts()
    answers = race([patcher(alice, set_timeout(seconds), etag) for seconds in range(1, 21)])
    assert statuses(answers) == {201: 1, 412: 19}
    [winner] = [answer.json() for answer in answers if answer.status_code == 201]
    # The operations and the new head's definition are blobs; the old head's is the root's own.
    assert added(before) == {"Artifact": 1, "Blob": 2, "TagMove": 1, "Event": 1}
    found = get(alice, "workflows/flow").json()
    assert (found["artifact"]["id"], found["tag"]["version"]) == (winner["id"], 2)
    assert found["definition"]["nodes"]["a"]["timeout_seconds"] == winner["operations"][0]["value"]


def test_mixed_writers_leave_one_history(alice: Person) -> None:
    versions = [create(alice).json()["artifact"]["id"]]
    versions += [patch(alice, "flow", set_timeout(seconds)).json()["id"] for seconds in (1, 2)]
    events = Event.objects.count()

    def write_ten_times(seed: int) -> Callable[[], Counter[int]]:
        chosen = random.Random(seed)
        clients = [
            patcher(alice, set_timeout(chosen.randrange(1, 5), chosen.choice("ab"))),
            caller(alice, "POST", "tags/flow/move", {"artifact_id": chosen.choice(versions)}),
            caller(alice, "POST", "tags/flow/undo", {}),
            caller(alice, "POST", "tags/flow/redo", {}),
        ]
        calls = [chosen.choice(clients) for _ in range(10)]
        return lambda: statuses([call() for call in calls])

    outcomes = sum(race([write_ten_times(seed) for seed in range(8)]), Counter[int]())
    assert outcomes.total() == 80
    assert outcomes.keys() <= {200, 201, 409, 412}
    done = outcomes[200] + outcomes[201]
    assert done > 20
    tag = replayed("flow")
    assert (tag.version, tag.move_count) == (3 + done, 3 + done)
    assert Event.objects.count() == events + done
    assert list(Event.objects.order_by("seq").values_list("seq", flat=True)) == list(range(1, events + done + 1))
    read_back(alice)


def test_who_waited_for_another_goes_on_from_where_that_one_left_the_tag(alice: Person) -> None:
    create(alice)
    for seconds in (1, 2):
        patch(alice, "flow", set_timeout(seconds))
    undo = partial(tags.undo_tag, actor=alice.actor, name="flow")
    with ThreadPoolExecutor(1) as elsewhere:
        with transaction.atomic():
            first = undo()
            waiting = elsewhere.submit(race, [undo])
            time.sleep(0.2)
            assert not waiting.done()
        [second] = waiting.result(10)
    assert (first.position, second.position) == (1, 0)
    assert replayed("flow").version == second.version == first.version + 1


def test_one_of_ten_who_create_a_workflow_wins(alice: Person) -> None:
    before = counts()
    bodies = [{"tag": "flow", "definition": definition("a", f"b{number}")} for number in range(10)]
    answers = race([caller(alice, "POST", "workflows", body) for body in bodies])
    assert statuses(answers) == {201: 1, 409: 9}
    assert added(before) == {"Artifact": 1, "Blob": 1, "Tag": 1, "TagMove": 1, "Event": 1}
    [winner] = [answer.json() for answer in answers if answer.status_code == 201]
    assert get(alice, "workflows/flow").json() == winner


def test_one_of_ten_who_branch_wins(alice: Person) -> None:
    create(alice)
    before = counts()
    branch = [caller(alice, "PUT", "tags/branch", {"tag": "flow"}, **{"If-None-Match": "*"}) for _ in range(10)]
    assert statuses(race(branch)) == {201: 1, 412: 9}
    assert added(before) == {"Tag": 1, "TagMove": 1, "Event": 1}


def test_one_of_ten_who_revive_a_deleted_tag_wins(alice: Person) -> None:
    create(alice)
    tags.delete_tag(actor=alice.actor, name="flow")
    answers = race([caller(alice, "POST", "workflows", {"tag": "flow", "definition": definition("z")})] * 10)
    assert statuses(answers) == {201: 1, 409: 9}
    tag = replayed("flow")
    assert (tag.version, tag.move_count) == (3, 3)


def test_first_runs_of_a_version_share_one_snapshot(alice: Person) -> None:
    create(alice)
    before = counts()
    answers = race([caller(alice, "POST", "runs", {"workflow": "flow", "inputs": {}}) for _ in range(10)])
    assert statuses(answers) == {202: 10}
    snapshot = Artifact.objects.get(kind=ArtifactKind.RUN_SNAPSHOT)
    assert added(before) == {"Artifact": 1, "Event": 10}, "the root's blob serves the snapshot, too"
    assert list(Run.objects.values_list("snapshot", flat=True)) == [snapshot.id] * 10


def test_first_runs_of_an_org_share_the_built_in_workflow(alice: Person) -> None:
    before = counts()
    answers = race([caller(alice, "POST", "runs", {"prompt": "Plan a trip to Paris"}) for _ in range(10)])
    assert statuses(answers) == {202: 10}
    assert added(before) == {"Artifact": 2, "Blob": 1, "Tag": 1, "TagMove": 1, "Event": 11}
    assert Run.objects.values("artifact", "snapshot").distinct().count() == 1


def test_a_first_run_is_not_refused_because_another_was_faster(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other makes the tag between our looking for it in vain and our making it."""
    find, rivals = pins.pin, [lambda: submission.start_run(actor=alice.actor, inputs={"prompt": "Paris"})]

    def find_late(**names: Any) -> Any:
        try:
            return find(**names)
        except NotFound:
            while not settings.ON_SQLITE and rivals:  # there the rival could not write before we have
                race([rivals.pop()])
            raise

    monkeypatch.setattr(pins, "pin", find_late)
    ours = submission.start_run(actor=alice.actor, inputs={"prompt": "Paris"})
    assert {*Run.objects.values_list("snapshot", flat=True)} == {ours.snapshot_id}


def test_creating_and_patching_to_one_content_do_not_wait_for_each_other(
    alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both need the tag's row and the content's blob; each has stored its version before either goes on."""
    content = create(alice).json()["definition"]
    content["nodes"]["a"]["timeout_seconds"] = 1
    both_stored, store = threading.Barrier(2), artifacts.store

    def store_slowly(*version: Any) -> Artifact:
        stored = store(*version)
        with contextlib.suppress(threading.BrokenBarrierError):
            both_stored.wait(0.5)
        return stored

    monkeypatch.setattr(artifacts, "store", store_slowly)
    created, patched = race(
        [
            caller(alice, "POST", "workflows", {"tag": "flow", "definition": content}),
            patcher(alice, set_timeout(1)),
        ]
    )
    assert (created.status_code, patched.status_code) == (409, 201)


def test_what_is_forgotten_and_kept_again_can_always_be_read(alice: Person) -> None:
    """Three tags come to two contents, leave them and come back: their blobs go and return under the readers."""
    create(alice)
    contents = [patch(alice, "flow", set_timeout(seconds)) and read(alice, "flow") for seconds in (1, 2)]
    tags.create_tag(actor=alice.actor, name="other", artifact=refs.resolve(alice.org.id, "flow~1"))
    tags.move_tag(actor=alice.actor, name="other", to=refs.resolve(alice.org.id, "flow"))
    finished = threading.Event()

    def finish() -> None:
        try:
            for number in range(40):
                assert patcher(alice, set_timeout(1 + number % 2))().status_code == 201
        finally:
            finished.set()

    def again(*calls: Callable[[], Any], expected: list[int]) -> Callable[[], None]:
        def until_finished() -> None:
            while not finished.is_set():
                assert [call().status_code for call in calls] == expected

        return until_finished

    def read_always() -> None:
        while not finished.is_set():
            materialisation.forget()
            assert read(alice, "flow") in contents

    branch = caller(alice, "PUT", "tags/branch", {"tag": "flow"}, **{"If-None-Match": "*"})
    race(
        [
            finish,
            read_always,
            again(branch, caller(alice, "DELETE", "tags/branch", None, "*"), expected=[201, 204]),
            again(*(caller(alice, "POST", f"tags/other/{walk}", {}) for walk in ("undo", "redo")), expected=[200, 200]),
        ]
    )
    for name in ("flow", "other", "branch"):
        replayed(name)
    read_back(alice)


def read(person: Person, tag: str) -> Any:
    answer = caller(person, "GET", f"workflows/{tag}")()
    assert answer.status_code == 200, answer.content
    return answer.json()["definition"]


@pytest.mark.parametrize("attempt", range(3))
def test_of_a_merge_and_a_patch_with_the_same_tag_one_wins(
    alice: Person, attempt: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have looked at the tag, and made their versions, before either writes."""
    create(alice)
    tags.create_tag(actor=alice.actor, name="fix", artifact=refs.resolve(alice.org.id, "flow"))
    patch(alice, "fix", set_timeout(1, "b"))
    etag, before = get(alice, "tags/flow")["ETag"], counts()
    both_prepared, commit = threading.Barrier(2), workflows.commit
    monkeypatch.setattr(workflows, "commit", lambda *what: both_prepared.wait(10) is not None and commit(*what))
    merger = caller(alice, "POST", "merge", {"into": "flow", "from": "fix"}, etag)
    merged, patched = race([merger, patcher(alice, set_timeout(1), etag)])
    assert sorted((merged.status_code, patched.status_code)) == [201, 412]
    blobs = {} if merged.status_code == 201 else {"Blob": 2}  # what the merge does and comes to, the branch has already
    assert added(before) == {"Artifact": 1, **blobs, "TagMove": 1, "Event": 1}
    assert replayed("flow").version == 2
    read_back(alice)
