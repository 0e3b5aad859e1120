"""How the nodes of a definition hang together: examples, and random graphs against the standard library."""

import graphlib
from random import Random
from typing import Any

import pytest
from hypothesis import given, strategies as st

from runs.engine import plan
from runs.workflows.circles import circle, drawn, knots
from runs.workflows.validation import faults_of

FIRST = "No node can be the first: let at least one need no other."
LAST = "No node can be the last: let at least one be needed by no other."


def graph(**needs: str) -> dict[str, Any]:
    """``graph(a="b c")``: a needs b and c."""
    return {"nodes": {name: {"type": "intent", "needs": needed.split()} for name, needed in needs.items()}}


def told(definition: Any) -> list[tuple[str, str]]:
    return [(fault.pointer, fault.message) for fault in faults_of(definition)]


BAD_GRAPHS: list[tuple[dict[str, Any], dict[str, str]]] = [
    (graph(a="a"), {"/nodes/a/needs/0": '"a" needs itself'}),
    (graph(a="", b="a b"), {"/nodes/b/needs/1": '"b" needs itself'}),
    (graph(a="c"), {"/nodes/a/needs/0": 'There is no node "c"'}),
    (graph(first="", second="frist"), {"/nodes/second/needs/0": 'Did you mean "first"?'}),
    (graph(a="b", b="a"), {"/nodes": FIRST, "/nodes/a/needs/0": "a → b → a"}),
    (graph(a="", b="a d", c="b", d="c"), {"/nodes": LAST, "/nodes/b/needs/1": "b → d → c → b"}),
    (graph(x="", a="x b", b="a", end="b"), {"/nodes/a/needs/1": "a → b → a"}),
    (
        graph(x="", a="b", b="a", end="b", after="end", too="end x"),
        {
            "/nodes/a/needs/0": "a → b → a",
            "/nodes/after": '"after" is never reached',
            "/nodes/end": '"end" is never reached',
        },
    ),
    (
        graph(a="b", b="c", c="a", d="e", e="d c"),
        {"/nodes": FIRST, "/nodes/a/needs/0": "a → b → c → a", "/nodes/d/needs/0": "d → e → d"},
    ),
    (graph(a="b c", b="a", c="a"), {"/nodes": FIRST, "/nodes/a/needs/0": "a → b → a"}),
    (graph(a="x b", b="y a"), {
        "/nodes": FIRST, "/nodes/a/needs/0": '"x"', "/nodes/a/needs/1": "a → b → a", "/nodes/b/needs/0": '"y"',
    }),
]  # fmt: skip


@pytest.mark.parametrize(("definition", "expected"), BAD_GRAPHS)
def test_a_bad_graph_is_told_at_the_need_to_mend(definition: Any, expected: dict[str, str]) -> None:
    found = told(definition)
    assert sorted({pointer for pointer, _ in found}) == sorted(expected)
    for pointer, piece in expected.items():
        assert any(piece in message for where, message in found if where == pointer)


# --- fallbacks -----------------------------------------------------------------------------------------------------


def with_fallbacks(definition: dict[str, Any], **of: str) -> dict[str, Any]:
    """``with_fallbacks(graph(...), a="b")``: b steps in for a."""
    for name, fallback in of.items():
        definition["nodes"][name]["on_failure"] = {"fallback": fallback}
    return definition


BAD_FALLBACKS: list[tuple[dict[str, Any], dict[str, str]]] = [
    (with_fallbacks(graph(a=""), a="a"), {"/nodes/a/on_failure/fallback": '"a" cannot step in for itself'}),
    (with_fallbacks(graph(a="", spare=""), a="spair"), {"/nodes/a/on_failure/fallback": 'Did you mean "spare"?'}),
    (
        with_fallbacks(graph(a="", b="", f=""), a="f", b="f"),
        {"/nodes/b/on_failure/fallback": '"f" is the fallback of "a" already'},
    ),
    (with_fallbacks(graph(a="", b="", f="b"), a="f"), {"/nodes/f/needs": "starts when that has failed"}),
    (with_fallbacks(graph(a="", f="", g=""), a="f", f="g"), {"/nodes/f/on_failure": '"f" is the fallback of "a"'}),
    (with_fallbacks(graph(a="f", f=""), a="f"), {"/nodes": LAST, "/nodes/a/needs/0": "a → f → a"}),
    (
        with_fallbacks(graph(x="", c="a x", m="c", a=""), m="a"),
        {"/nodes": LAST, "/nodes/m/on_failure/fallback": "a → m → c → a. Take one of these needs out, or name another"},
    ),
]


@pytest.mark.parametrize(("definition", "expected"), BAD_FALLBACKS)
def test_a_bad_fallback_is_told_at_its_place(definition: dict[str, Any], expected: dict[str, str]) -> None:
    found = dict(told(definition))
    for pointer, piece in expected.items():
        assert piece in found.pop(pointer)
    assert not found


@pytest.mark.parametrize(("member", "value"), [("when", "`true`"), ("map", {"over": "inputs.x"})])
def test_only_a_failure_starts_a_fallback_and_once(member: str, value: Any) -> None:
    definition = with_fallbacks(graph(a="", f=""), a="f")
    definition["nodes"]["f"][member] = value
    assert [pointer for pointer, _ in told(definition)] == [f"/nodes/f/{member}"]


def test_good_fallbacks() -> None:
    definition = with_fallbacks(graph(a="", f="", b="a", g="", end="b f"), a="f", b="g")
    definition["nodes"]["f"].update(on_failure="continue", retry={"max_attempts": 2})
    assert told(definition) == []


def test_a_node_of_the_wrong_shape_is_there_all_the_same() -> None:
    definition = {"nodes": {"a": 5, "b": {"type": "intent", "needs": ["a"]}, "c": {"type": "intent", "needs": "b"}}}
    assert [pointer for pointer, _ in told(definition)] == ["/nodes/a", "/nodes/c/needs"]


def test_a_long_chain_and_a_long_circle() -> None:
    nodes: dict[str, Any] = {
        f"n{n:04}": {"type": "intent", "needs": [f"n{n - 1:04}"] if n else []} for n in range(2000)
    }
    assert told({"nodes": nodes}) == []
    assert told({"nodes": dict(reversed(nodes.items()))}) == []
    nodes["n0000"]["needs"] = ["n1999"]
    (first, second, third) = told({"nodes": nodes})
    assert (first, second) == (("/nodes", FIRST), ("/nodes", LAST))
    assert third[0] == "/nodes/n0000/needs/0"
    assert "n0000 → n1999 → n1998 → n1997 → n1996 → n1995 → (1989 more) → n0005" in third[1]
    assert len(third[1]) < 300


def test_every_knot_is_told_once() -> None:
    nodes = {f"n{n}": {"type": "intent", "needs": [f"n{n ^ 1}"]} for n in range(100)}
    found = [pointer for pointer, message in told({"nodes": nodes}) if "→" in message]
    assert found == sorted(f"/nodes/n{n}/needs/0" for n in range(0, 100, 2))


def test_the_order_of_the_members_changes_nothing() -> None:
    definition = graph(z="y", y="z x", x="y", a="b", b="a", c="a nowhere")
    shuffled = {"nodes": dict(reversed(definition["nodes"].items()))}
    assert told(definition) == told(shuffled)


# --- random graphs -------------------------------------------------------------------------------------------------


@st.composite
def ordered(draw: st.DrawFn, least: int = 1) -> dict[str, list[str]]:
    """Up to twelve nodes in any order of their names; each needs some of those before it."""
    masks = draw(st.lists(st.integers(0, 2**11), min_size=least, max_size=12))
    names = draw(st.permutations([f"n{number}" for number in range(len(masks))]))
    needs = {
        names[place]: [names[other] for other in range(place) if mask >> other & 1] for place, mask in enumerate(masks)
    }
    return dict(draw(st.permutations(list(needs.items()))))


def definition_of(needs: dict[str, list[str]]) -> dict[str, Any]:
    return {"nodes": {name: {"type": "intent", "needs": needed} for name, needed in needs.items()}}


@given(ordered())
def test_a_graph_without_circles_is_valid_and_can_be_planned(needs: dict[str, list[str]]) -> None:
    assert told(definition_of(needs)) == []
    assert len(plan.Graph(definition_of(needs)).order) == len(needs)


@given(ordered(least=2), st.integers(0, 2**32).map(Random))
def test_one_need_back_makes_a_circle_that_is_named(needs: dict[str, list[str]], chance: Random) -> None:
    later = chance.choice([name for name in needs if needs[name]] or [""])
    if not later:
        return
    earlier = chance.choice(needs[later])
    needs[earlier].append(later)
    named = [message for _, message in told(definition_of(needs)) if "→" in message]
    assert len(named) == 1
    with pytest.raises(graphlib.CycleError):
        plan.Graph(definition_of(needs))


@given(st.lists(st.integers(0, 2**8 - 1), min_size=1, max_size=8))
def test_knots_and_circles_are_real_and_none_is_missed(masks: list[int]) -> None:
    names = [f"n{number}" for number in range(len(masks))]
    needs = {
        name: [other for place, other in enumerate(names) if mask >> place & 1]
        for name, mask in zip(names, masks, strict=True)
    }
    assert knots(needs) == _knots_by_reach(needs)
    for knot in knots(needs):
        found = circle(knot, needs)
        assert found[0] == knot[0]
        assert set(found) <= set(knot)
        assert all(after in needs[before] for before, after in zip(found, [*found[1:], found[0]], strict=True))


def _knots_by_reach(needs: dict[str, list[str]]) -> list[list[str]]:
    """Who reaches whom, by trying long enough; those who reach each other are one knot."""
    reach = {name: set(needed) for name, needed in needs.items()}
    for _ in needs:
        for found in reach.values():
            found.update(*(reach[other] for other in tuple(found)))
    circular = [name for name in needs if name in reach[name]]
    found = {tuple(sorted(other for other in circular if name in reach[other] and other in reach[name]))
             for name in circular}  # fmt: skip
    return sorted(map(list, found))


def test_a_circle_is_drawn_to_its_end() -> None:
    assert drawn(["a", "b"]) == "a → b → a"
    assert drawn(["a"]) == "a → a"
    assert drawn([str(number) for number in range(12)]).count("more") == 1
