"""Three tags under random services, beside a plain model of what tags, undo lines and histories must be."""

import itertools
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from conftest import make_person
from orchestrator.core.canonical import canonical_document, digest
from orchestrator.core.errors import Conflict, MergeConflict, NotFound, PreconditionFailed, ValidationFailed
from orchestrator.events.models import Event
from versioning import materialisation, refs
from versioning.models import Artifact, Blob, Tag, TagMove
from versioning.services import artifacts, merges, tags, workflows
from versioning.tests.calls import definition, set_timeout

Definition = dict[str, Any]
Move = tuple[str, uuid.UUID | None, uuid.UUID | None]
# Operations, and the definition that they make, or how they must be refused.
Patch = tuple[list[Definition], Definition | type[Exception]]

NAMES: Final = ("main", "team/fix", "v1.0")
FAULTS: Final[dict[str, tuple[Definition, type[Exception]]]] = {
    "test": ({"op": "test", "path": "/name", "value": "another"}, Conflict),
    "nowhere": ({"op": "remove", "path": "/nodes/nobody"}, ValidationFailed),
    "no workflow": (
        {"op": "add", "path": "/nodes/new", "value": {"type": "planner", "needs": ["nobody"]}},
        ValidationFailed,
    ),
}
# What If-Match says: nothing, the version that is there, one that is not.
guards = st.sampled_from(["any", "any", "any", "right", "right", "right", "old", "new"])
_numbers = itertools.count()


@dataclass
class Version:
    """What the model knows of an artifact."""

    definition: Definition
    parents: tuple[uuid.UUID, ...] = ()


@dataclass
class Name:
    """What the model knows of a tag: its undo line, where it stands on it, and all that ever happened to it."""

    line: list[uuid.UUID] = field(default_factory=list)
    position: int = 0
    moves: list[Move] = field(default_factory=list)
    alive: bool = False
    protected: bool = False
    version: int = 0

    @property
    def head(self) -> uuid.UUID | None:
        return self.line[self.position] if self.alive else None

    def forward(self, kind: str, to: uuid.UUID) -> None:
        """A new place on the line; what was ahead is cut off."""
        if kind == "create":
            self.line, self.position, self.protected = [], -1, False
        self._note(kind, to)
        self.line = [*self.line[: self.position + 1], to]
        self.position += 1
        self.alive = True

    def can_walk(self, step: int) -> bool:
        return self.alive and 0 <= self.position + step < len(self.line)

    def walk(self, kind: str, step: int) -> None:
        self._note(kind, self.line[self.position + step])
        self.position += step

    def delete(self) -> None:
        self._note("delete", None)
        self.alive = False

    def _note(self, kind: str, to: uuid.UUID | None) -> None:
        self.moves.append((kind, self.head, to))
        self.version += 1


class TagMachine(RuleBasedStateMachine):
    """Every rule asks the model first what must come of it."""

    known = Bundle("known")

    def __init__(self) -> None:
        super().__init__()
        person = make_person(f"machine-{next(_numbers)}")  # an org of its own for every example
        self.actor, self.org_id = person.actor, person.org.id
        self.versions: dict[uuid.UUID, Version] = {}
        self.names = {name: Name() for name in NAMES}
        self.asked: dict[str, list[Move]] = {}
        self.events = Event.objects.for_org(self.org_id).count()

    @initialize(target=known)
    def begin(self) -> Any:
        """A tag with something to undo, and a branch with something to merge."""
        root = self._create_workflow("main", ["a", "b"])
        for seconds in (1, 2, 3):
            self._patch("main", "any", _timeout(self._definition("main"), "a", seconds))
        self._create_branch("team/fix", root)
        self._patch("team/fix", "right", _timeout(self._definition("team/fix"), "b", 3))
        return multiple(*self.versions)

    @rule(target=known, data=st.data(), chain=st.sampled_from([["a", "b"], ["a"], ["b", "c", "d"]]))
    def create_workflow(self, data: st.DataObject, chain: list[str]) -> Any:
        return _some(self._create_workflow(self._name(data, lambda model: not model.alive), chain))

    @rule(data=st.data(), at=known)
    def create_branch(self, data: st.DataObject, at: uuid.UUID) -> None:
        self._create_branch(self._name(data, lambda model: not model.alive), at)

    @rule(data=st.data(), to=known, guard=guards)
    def move(self, data: st.DataObject, to: uuid.UUID, guard: str) -> None:
        name = self._name(data, lambda model: model.alive)
        how = self._guarded(name, guard)
        if self._do(self._refusal(name, guard), lambda: tags.move_tag(to=self._row(to), **how)):
            self.names[name].forward("move", to)

    @rule(target=known, data=st.data(), guard=guards)
    def patch(self, data: st.DataObject, guard: str) -> Any:
        name = self._name(data, lambda model: model.alive)
        return _some(self._patch(name, guard, data.draw(patches(self._definition(name)))))

    @rule(target=known, base=known, data=st.data())
    def patch_without_a_tag(self, base: uuid.UUID, data: st.DataObject) -> Any:
        operations, after = data.draw(patches(self.versions[base].definition))
        row, refusal = self._row(base), after if isinstance(after, type) else None
        call = partial(workflows.patch_version, actor=self.actor, base=row, operations=operations)
        if (patched := self._do(refusal, call)) is None:
            return multiple()
        self.versions[patched.artifact.id] = Version(after, (base,))
        return patched.artifact.id

    @rule(data=st.data(), guard=guards)
    def undo(self, data: st.DataObject, guard: str) -> None:
        self._walk(self._name(data, lambda model: model.can_walk(-1)), guard, "undo", -1)

    @rule(data=st.data(), guard=guards)
    def redo(self, data: st.DataObject, guard: str) -> None:
        self._walk(self._name(data, lambda model: model.can_walk(1)), guard, "redo", 1)

    @rule(data=st.data(), steps=st.lists(st.sampled_from(["undo", "undo", "redo", "patch"]), min_size=3, max_size=6))
    def walk_about(self, data: st.DataObject, steps: list[str]) -> None:
        name = self._name(data, lambda model: model.can_walk(-1))
        for kind in steps:
            if kind == "patch":
                self._patch(name, "any", data.draw(patches(self._definition(name))))
            else:
                self._walk(name, "any", kind, -1 if kind == "undo" else 1)

    @rule(data=st.data(), guard=guards)
    def delete(self, data: st.DataObject, guard: str) -> None:
        name = self._name(data, lambda model: model.protected)
        model, how = self.names[name], self._guarded(name, guard)
        refusal = self._refusal(name, guard, Conflict if model.protected else None)
        if self._do(refusal, lambda: tags.delete_tag(**how) or True):
            model.delete()

    @rule(name=st.sampled_from(NAMES), guard=guards, protected=st.booleans())
    def protect(self, name: str, guard: str, protected: bool) -> None:
        model, how = self.names[name], self._guarded(name, guard)
        if self._do(self._refusal(name, guard), lambda: tags.protect_tag(protected=protected, **how)):
            model.protected, model.version = protected, model.version + 1

    @rule(target=known, data=st.data(), guard=guards)
    def merge(self, data: st.DataObject, guard: str) -> Any:
        name = self._name(data, lambda model: model.alive)
        related = [id_ for id_ in self.versions if self._merged(name, id_) is not Conflict]
        theirs = data.draw(st.sampled_from([*related, *related, *self.versions]))
        expected, how = self._merged(name, theirs), self._guarded(name, guard, "into")
        if expected is Crossed:
            expected = self._proposed(name, theirs)
        refusal = self._refusal(name, guard, expected if isinstance(expected, type) else None)
        made = self._do(refusal, lambda: merges.merge_tag(theirs=self._row(theirs), **how))
        return _some(self._forward(name, "merge", made and made.artifact, expected, theirs))

    @invariant()
    def tags_stand_where_the_model_says(self) -> None:
        rows = {tag.name: tag for tag in Tag.objects.for_org(self.org_id).select_related("artifact")}
        assert rows.keys() == {name for name, model in self.names.items() if model.moves}
        for name, row in rows.items():
            model = self.names[name]
            assert (row.artifact_id, row.version) == (model.head, model.version)
            assert (row.move_count, row.protected) == (len(model.moves), model.protected)
            assert (row.position, row.last_position) == (model.position, len(model.line) - 1)
            if row.artifact is not None:
                self._reads_as_the_model(row.artifact)

    @invariant()
    def names_name_versions(self) -> None:
        """``name@{n}`` and ``name~k``, and one beyond the end of each."""
        changed = [name for name, model in self.names.items() if self.asked.get(name) != model.moves]
        for name, model in ((name, self.names[name]) for name in changed):
            self.asked[name] = [*model.moves]
            for number, to in enumerate([None, *(to for _, _, to in model.moves), None]):
                assert self._resolved(f"{name}@{{{number}}}") == to
            parents = list(self._first_parents(model.head))
            for steps, expected in enumerate([*parents, None]):
                assert self._resolved(f"{name}~{steps}") == expected
            if parents:
                assert self._resolved(f"{name}@{{{len(model.moves)}}}~~{len(parents) - 1}") is None

    @invariant()
    def histories_are_whole(self) -> None:
        found: dict[str, list[Move]] = {name: [] for name in NAMES}
        rows = TagMove.objects.for_org(self.org_id).order_by("tag", "number")
        for name, number, *move in rows.values_list("tag__name", "number", "kind", "from_artifact", "to_artifact"):
            found[name].append((*move,))
            assert number == len(found[name]), "no gap, nothing twice"
        assert found == {name: model.moves for name, model in self.names.items()}
        assert {name: replay(moves) for name, moves in found.items()} == {
            name: model.head for name, model in self.names.items()
        }

    @invariant()
    def only_what_is_needed_is_kept_whole(self) -> None:
        own = Artifact.objects.for_org(self.org_id).values_list("blob__digest", flat=True)
        heads = Tag.objects.for_org(self.org_id).live().values_list("artifact__definition_digest", flat=True)
        assert set(Blob.objects.for_org(self.org_id).values_list("digest", flat=True)) == {*own, *heads}

    @invariant()
    def every_write_has_one_event(self) -> None:
        found = Event.objects.for_org(self.org_id).order_by("seq").values_list("seq", flat=True)
        assert list(found) == list(range(1, self.events + 1))

    def teardown(self) -> None:
        for artifact in Artifact.objects.filter(id__in=self.versions):
            self._reads_as_the_model(artifact)

    def _create_workflow(self, name: str, chain: list[str]) -> uuid.UUID | None:
        content, refusal = definition(*chain), Conflict if self.names[name].alive else None
        made = self._do(refusal, lambda: workflows.create_workflow(actor=self.actor, tag=name, definition=content))
        return self._forward(name, "create", made and made.artifact, content)

    def _create_branch(self, name: str, at: uuid.UUID) -> None:
        refusal = Conflict if self.names[name].alive else None
        if self._do(refusal, lambda: tags.create_tag(actor=self.actor, name=name, artifact=self._row(at))):
            self.names[name].forward("create", at)

    def _patch(self, name: str, guard: str, patch: Patch) -> uuid.UUID | None:
        (operations, after), how = patch, self._guarded(name, guard, "tag")
        refusal = self._refusal(name, guard, after if isinstance(after, type) else None)
        made = self._do(refusal, lambda: workflows.patch_tag(operations=operations, **how))
        return self._forward(name, "patch", made and made.artifact, after)

    def _walk(self, name: str, guard: str, kind: str, step: int) -> None:
        model, how = self.names[name], self._guarded(name, guard)
        refusal = self._refusal(name, guard, None if model.can_walk(step) else Conflict)
        if self._do(refusal, lambda: (tags.undo_tag if step < 0 else tags.redo_tag)(**how)):
            model.walk(kind, step)

    def _forward(
        self, name: str, kind: str, made: Artifact | None, content: Any, merged: uuid.UUID | None = None
    ) -> uuid.UUID | None:
        """The tag is on a new version, if one was made."""
        if made is None:
            return None
        parents = (None if kind == "create" else self.names[name].head, merged)
        self.versions[made.id] = Version(content, tuple(parent for parent in parents if parent))
        self.names[name].forward(kind, made.id)
        return made.id

    def _name(self, data: st.DataObject, promising: Callable[[Name], bool]) -> str:
        """Mostly one that something will come of."""
        those = [name for name, model in self.names.items() if promising(model)]
        return data.draw(st.sampled_from([*NAMES, *(those * 5)]))

    def _definition(self, name: str) -> Definition:
        head = self.names[name].head
        return self.versions[head].definition if head else definition("a")

    def _do(self, refusal: type[Exception] | None, call: Callable[[], Any]) -> Any:
        """What the call gives; None when it refused as it must, and then nothing at all was written."""
        materialisation.forget()
        if refusal is None:
            self.events += 1
            return call()
        before = self._rows()
        with pytest.raises(refusal) as error:
            call()
        assert type(error.value) is refusal
        assert self._rows() == before
        return None

    def _rows(self) -> list[Any]:
        counts = [model.objects.for_org(self.org_id).count() for model in (Artifact, Blob, TagMove, Event)]
        return [counts, list(Tag.objects.for_org(self.org_id).order_by("id").values())]

    def _guarded(self, name: str, guard: str, keyword: str = "name") -> dict[str, Any]:
        there = self.names[name].version
        versions = {"any": None, "right": there, "old": there - 1, "new": there + 1}
        return {"actor": self.actor, keyword: name, "version": versions[guard]}

    def _refusal(self, name: str, guard: str, otherwise: type[Exception] | None = None) -> type[Exception] | None:
        if not self.names[name].alive:
            return NotFound
        return PreconditionFailed if guard in ("old", "new") else otherwise

    def _row(self, id_: uuid.UUID) -> Artifact:
        return Artifact.objects.for_org(self.org_id).get(pk=id_)

    def _reads_as_the_model(self, artifact: Artifact) -> None:
        """From the rows, not from memory."""
        materialisation.forget()
        expected = self.versions[artifact.id]
        assert materialisation.definition_of(artifact) == expected.definition
        assert artifact.definition_digest == digest(canonical_document(expected.definition))
        assert artifact.depth == self._depth(artifact.id)
        assert artifact.node_count == len(expected.definition["nodes"])

    def _resolved(self, ref: str) -> uuid.UUID | None:
        try:
            return refs.resolve(self.org_id, ref).id
        except NotFound:
            return None

    def _first_parents(self, id_: uuid.UUID | None) -> Iterator[uuid.UUID]:
        while id_ is not None:
            yield id_
            id_ = next(iter(self.versions[id_].parents), None)

    def _ancestors(self, id_: uuid.UUID) -> set[uuid.UUID]:
        return {id_}.union(*(self._ancestors(parent) for parent in self.versions[id_].parents))

    def _depth(self, id_: uuid.UUID) -> int:
        return 1 + max((self._depth(parent) for parent in self.versions[id_].parents), default=-1)

    def _merged(self, name: str, theirs: uuid.UUID) -> Any:
        """The definition that a merge into the tag must come to, or how it must be refused."""
        ours = self.names[name].head
        if ours is None:
            return NotFound
        bases = self._bases(ours, theirs)
        if bases in (set(), {theirs}):
            return Conflict
        sides = [self.versions[id_].definition for id_ in (*bases, ours, theirs)]
        return three_way(*sides) if len(bases) == 1 else Crossed

    def _bases(self, ours: uuid.UUID, theirs: uuid.UUID) -> set[uuid.UUID]:
        """The common ancestors that are no ancestors of another one."""
        common = self._ancestors(ours) & self._ancestors(theirs)
        return common.difference(*(self._ancestors(parent) for id_ in common for parent in self.versions[id_].parents))

    def _proposed(self, name: str, theirs: uuid.UUID) -> Any:
        """What the services themselves foretell, if it breaks no law."""
        proposal = merges.propose_merge(actor=self.actor, into=name, theirs=self._row(theirs))
        if proposal.conflicts:
            return MergeConflict
        ours = self.names[name].head
        assert ours is not None
        bases = [self._nodes(id_) for id_ in self._bases(ours, theirs)]
        require_a_side(proposal.definition["nodes"], bases, self._nodes(ours), self._nodes(theirs))
        return proposal.definition

    def _nodes(self, id_: uuid.UUID) -> Definition:
        return self.versions[id_].definition["nodes"]


class Crossed(Exception):
    """Of several best common ancestors the model does not say what a merge comes to, only its laws."""


def _some(made: uuid.UUID | None) -> Any:
    """For a rule that adds to a bundle what it made, if it made anything."""
    return multiple() if made is None else made


def replay(moves: Iterable[Move]) -> uuid.UUID | None:
    """Where a history leads; every move begins where the one before ended."""
    head: uuid.UUID | None = None
    for _, left, to in moves:
        assert left == head
        head = to
    return head


def three_way(base: Definition, ours: Definition, theirs: Definition) -> Definition | type[MergeConflict]:
    """For what the patches here can do: nodes come and go, only their timeouts change."""
    nodes: Definition = {}
    for name in {**ours["nodes"], **theirs["nodes"]}:
        was, our, their = (side["nodes"].get(name) for side in (base, ours, theirs))
        if their not in (was, our) and our != was:
            return MergeConflict
        if node := (their if our == was else our):
            nodes[name] = node
    if not nodes or any(need not in nodes for node in nodes.values() for need in node.get("needs", ())):
        return MergeConflict
    return {**ours, "nodes": nodes}


def require_a_side(merged: Definition, bases: list[Definition], ours: Definition, theirs: Definition) -> None:
    """Every node is what one side says, and where the bases agree, what the side says that changed it."""
    for name in {**ours, **theirs, **merged}:
        found, our, their = (nodes.get(name) for nodes in (merged, ours, theirs))
        assert found in (our, their)
        was, *others = (base.get(name) for base in bases)
        if all(other == was for other in others):
            assert found == (their if our == was else our)


@st.composite
def patches(draw: st.DrawFn, before: Definition) -> Patch:
    nodes = before["nodes"]
    needed = sorted({need for node in nodes.values() for need in node.get("needs", ())})
    kind, name = draw(st.sampled_from(["timeout"] * 3 + ["add", "remove"] * 2 + [*FAULTS])), draw(_one_of(nodes))
    if kind in FAULTS:
        operation, refusal = FAULTS[kind]
        return [set_timeout(1, name), operation], refusal
    if kind == "remove" and len(nodes) > 1:
        gone = draw(_one_of(nodes))
        after = ValidationFailed if gone in needed else _with(before, gone, None)
        return [{"op": "remove", "path": f"/nodes/{gone}"}], after
    child = f"{name}x"  # so that a node of one name has the same needs in every version
    if kind == "add" and child not in nodes:
        node = {"type": "planner", "needs": [name]}
        return [{"op": "add", "path": f"/nodes/{child}", "value": node}], _with(before, child, node)
    return _timeout(before, name, draw(st.integers(1, 3)))  # few, so that contents come back


def _one_of(nodes: Definition) -> st.SearchStrategy[str]:
    return st.sampled_from(sorted(nodes))


def _timeout(before: Definition, name: str, seconds: int) -> Patch:
    node = before["nodes"][name]
    check = {"op": "test", "path": f"/nodes/{name}", "value": node}
    return [check, set_timeout(seconds, name)], _with(before, name, {**node, "timeout_seconds": seconds})


def _with(before: Definition, name: str, node: Definition | None) -> Definition:
    nodes = {key: value for key, value in {**before["nodes"], name: node}.items() if value is not None}
    return {**before, "nodes": nodes}


@pytest.mark.timeout(600)  # a failure takes minutes to be made small
@pytest.mark.django_db
def test_tags_do_what_the_model_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifacts, "CHAIN_LIMIT", 2)  # compactions must go unseen
    run_state_machine_as_test(
        TagMachine,
        settings=settings(
            max_examples=30, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
        ),
    )
