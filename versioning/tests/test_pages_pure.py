"""What the pages of workflows compute without rows: lanes, places in a text, texts line by line."""

from time import monotonic
from typing import Any

import pytest
from hypothesis import given, strategies as st

from versioning.pages.lanes import assign
from versioning.pages.places import lines_of, nearest, parse, placed
from versioning.pages.textdiff import MOST_EDITS, MOST_LINES, blocks

# --- lanes ------------------------------------------------------------------------------------------------------------


def lanes(*history: tuple[str, list[str]]) -> dict[str, int]:
    return {place.version: place.lane for place in assign(history).places}


def test_a_line_of_patches_stays_in_one_lane() -> None:
    drawn = assign([("c", ["b"]), ("b", ["a"]), ("a", [])])
    assert [(place.version, place.row, place.lane) for place in drawn.places] == [("c", 0, 0), ("b", 1, 0), ("a", 2, 0)]
    assert drawn.count == 1


def test_a_branch_has_a_lane_of_its_own_and_joins_where_it_began() -> None:
    history = [("ours", ["root"]), ("theirs", ["root"]), ("root", [])]
    assert lanes(*history) == {"ours": 0, "theirs": 1, "root": 0}
    joins = [line for line in assign(history).lines if line.child.version == "theirs"]
    assert [line.parent.version for line in joins if line.parent] == ["root"]


def test_a_merge_opens_a_lane_for_its_second_parent() -> None:
    history = [("merge", ["ours", "theirs"]), ("ours", ["root"]), ("theirs", ["root"]), ("root", [])]
    assert lanes(*history) == {"merge": 0, "ours": 0, "theirs": 1, "root": 0}


def test_a_lane_that_ended_is_used_again() -> None:
    history = [("d", ["c"]), ("x", ["c"]), ("c", ["b"]), ("y", ["b"]), ("b", [])]
    assert lanes(*history)["y"] == lanes(*history)["x"] == 1
    assert assign(history).count == 2


def test_strangers_stand_side_by_side() -> None:
    assert lanes(("a2", ["a1"]), ("b2", ["b1"]), ("a1", []), ("b1", [])) == {"a2": 0, "b2": 1, "a1": 0, "b1": 1}


def test_a_parent_below_the_drawing_leaves_an_open_end() -> None:
    [line] = assign([("b", ["a"])]).lines
    assert line.parent is None
    assert line.path.endswith("L16 36")


def test_no_history_is_no_drawing() -> None:
    assert assign([]).places == []
    assert assign([]).height > 0


# --- places -----------------------------------------------------------------------------------------------------------

TEXT = """{
  "nodes": {
    "a/b": {"type": "x"},
    "c": {
      "needs": [
        "a",
        "b"
      ]
    }
  }
}"""


@pytest.mark.parametrize(
    ("pointer", "line"),
    [("", 1), ("/nodes", 2), ("/nodes/a~1b", 3), ("/nodes/a~1b/type", 3), ("/nodes/c/needs", 5),
     ("/nodes/c/needs/0", 6), ("/nodes/c/needs/1", 7), ("/nodes/c/type", 4), ("/nowhere/at/all", 1)],
)  # fmt: skip
def test_a_pointer_leads_to_its_line_or_to_what_is_around_it(pointer: str, line: int) -> None:
    assert nearest(lines_of(TEXT), pointer) == line


def test_brackets_and_quotes_in_strings_are_text() -> None:
    assert lines_of('{\n"a": "}\\",{",\n"b": [[], {}, 1]\n}') == {
        "": 1, "/a": 2, "/b": 3, "/b/0": 3, "/b/1": 3, "/b/2": 3,
    }  # fmt: skip


def test_faults_are_in_the_order_of_the_text() -> None:
    found = placed(TEXT, {"/nodes/c": ["Second."], "/": ["Whole."], "/nodes/a~1b": ["First."]})
    assert [(fault.line, fault.message) for fault in found] == [(1, "Whole."), (3, "First."), (4, "Second.")]


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [("{\n  nodes\n}", 2, "column 3"), ("", 1, "not JSON"), ('{"a": 1,\n "a": 2}', 0, "same key twice"),
     ('{"a": NaN}', 0, "NaN"), ('{"a": 9007199254740993}', 0, "2^53"), ('{"a": "\\u0000"}', 0, "NUL"),
     ("[" * 100 + "]" * 100, 0, "64 levels"), ("[" * 100_000, 0, "64 levels"), ('{"a": "\ud800"}', 0, "UTF-8")],
)  # fmt: skip
def test_what_is_no_json_is_said_with_its_line(text: str, line: int, told: str) -> None:
    document, [fault] = parse(text)
    assert document is None
    assert fault.line == line
    assert told in fault.message


# --- texts ------------------------------------------------------------------------------------------------------------


def marks(found: Any) -> str:
    return "".join(line.mark for block in found for line in block.lines)


def test_lines_are_numbered_on_the_side_where_they_are() -> None:
    [block] = blocks("a\nb\nc", "a\nB\nc") or []
    assert [(line.mark, line.old, line.new, line.text) for line in block.lines] == [
        (" ", 1, 1, "a"), ("-", 2, None, "b"), ("+", None, 2, "B"), (" ", 3, 3, "c"),
    ]  # fmt: skip


def test_what_is_far_from_changes_is_folded() -> None:
    old = [str(number) for number in range(40)]
    found = blocks("\n".join(old), "\n".join([*old[:20], "new", *old[20:]])) or []
    assert [(block.folded, len(block.lines)) for block in found] == [(True, 17), (False, 7), (True, 17)]
    assert marks(found).count("+") == 1


def test_the_same_text_is_one_folded_run() -> None:
    assert [block.folded for block in blocks("a\nb", "a\nb") or []] == [True]


LINES = st.lists(st.sampled_from("abc"), max_size=12)


@given(LINES, LINES)
def test_both_texts_can_be_read_from_their_difference(old: list[str], new: list[str]) -> None:
    lines = [line for block in blocks("\n".join(old), "\n".join(new)) or [] for line in block.lines]
    assert [(line.old, line.text) for line in lines if line.mark != "+"] == list(enumerate(old, 1))
    assert [(line.new, line.text) for line in lines if line.mark != "-"] == list(enumerate(new, 1))


def test_texts_with_nothing_in_common_but_a_line_that_repeats_are_compared_at_once() -> None:
    """Recursive matching takes minutes for them."""
    old, new = ("\n".join(f"0\n{side}{number}" for number in range(1500)) for side in "ab")
    began = monotonic()
    assert len(blocks(old, new) or []) > 0
    assert monotonic() - began < 5


def test_what_differs_in_too_much_is_exchanged() -> None:
    old, new = (["same", *(f"{side}{number}" for number in range(MOST_EDITS)), "end"] for side in "ab")
    [block] = blocks("\n".join(old), "\n".join(new)) or []
    assert [line.mark for line in block.lines] == [" ", *"-" * MOST_EDITS, *"+" * MOST_EDITS, " "]


def test_a_text_that_is_too_long_is_not_compared() -> None:
    assert blocks("a\n" * (MOST_LINES + 1), "a") is None
