"""Drawings of graphs: nothing overlaps, edges point right, and the same graph is drawn the same."""

import itertools

import pytest
from hypothesis import given, strategies as st

from orchestrator.web.graphs import BOX_HEIGHT, BOX_WIDTH, MOST_NODES, Layout, layout

DIAMOND = {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"]}


def drawn_of(needs: dict[str, list[str]]) -> Layout:
    found = layout(needs)
    assert found is not None
    return found


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, list[str]]:
    names = [f"n{number}" for number in range(draw(st.integers(0, 14)))]
    return {
        name: draw(st.lists(st.sampled_from(names[:at]), unique=True)) if at else [] for at, name in enumerate(names)
    }


def test_nodes_stand_behind_what_they_need() -> None:
    x = {box.name: box.x for box in drawn_of(DIAMOND).boxes}
    assert x["a"] < x["b"] == x["c"] < x["d"]


def test_an_edge_joins_the_sides_of_its_boxes() -> None:
    drawn = drawn_of({"a": [], "b": ["a"]})
    a, b = drawn.boxes
    assert drawn.edges[0].path.startswith(f"M{a.x + BOX_WIDTH} {a.y + BOX_HEIGHT // 2}C")
    assert f"{b.x} {b.y + BOX_HEIGHT // 2}M" in drawn.edges[0].path


def test_neighbours_are_put_where_lines_do_not_cross() -> None:
    needs = {"a": [], "b": [], "x": ["b"], "y": ["a"]}
    y = {box.name: box.y for box in drawn_of(needs).boxes}
    assert (y["a"] < y["b"]) == (y["y"] < y["x"])


@given(graphs())
def test_no_two_boxes_overlap_and_all_are_inside(needs: dict[str, list[str]]) -> None:
    drawn = drawn_of(needs)
    assert [box.name for box in drawn.boxes] == list(needs)
    for box in drawn.boxes:
        assert 0 <= box.x <= drawn.width - BOX_WIDTH
        assert 0 <= box.y <= drawn.height - BOX_HEIGHT
    for one, other in itertools.combinations(drawn.boxes, 2):
        assert one.x != other.x or abs(one.y - other.y) >= BOX_HEIGHT
    assert {(edge.source, edge.target) for edge in drawn.edges} == {(n, name) for name in needs for n in needs[name]}
    assert drawn_of(needs) == drawn


def test_a_circle_is_refused_and_an_unknown_need_left_out() -> None:
    with pytest.raises(ValueError, match="circle"):
        layout({"a": ["b"], "b": ["a"]})
    assert drawn_of({"a": ["gone"]}).edges == []


@pytest.mark.parametrize(
    "needs",
    [
        {f"n{number}": [f"n{before}" for before in range(number)] for number in range(MOST_NODES)},
        {f"n{number}": [f"n{number - 1}"] if number else [] for number in range(MOST_NODES + 1)},
    ],
    ids=["too many edges", "too many nodes"],
)
def test_what_would_take_minutes_is_not_drawn(needs: dict[str, list[str]]) -> None:
    assert layout(needs) is None
