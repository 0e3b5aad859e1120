"""One canonical form, whichever of the two encoders makes it."""

import json
from typing import Any

import pytest
import rfc8785
from hypothesis import given, strategies as st

from orchestrator.core.canonical import canonical_document, canonical_json
from orchestrator.core.errors import ValidationFailed

exact = st.integers(-(2**53) + 1, 2**53 - 1)
text = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
scalars = st.none() | st.booleans() | exact | st.floats(allow_nan=False, allow_infinity=False) | text
documents = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4))


@given(documents)
def test_is_what_rfc8785_says(document: Any) -> None:
    assert canonical_json(document) == rfc8785.dumps(document)


@given(documents)
def test_a_stored_document_reads_back_or_is_refused(document: Any) -> None:
    try:
        found = canonical_document(document)
    except ValidationFailed:
        return
    assert json.loads(found) == document
    assert canonical_document(json.loads(found)) == found


def test_a_float_that_would_be_stored_as_an_inexact_integer_is_refused() -> None:
    assert canonical_document({"share": 0.5, "far": 1e300}) == b'{"far":1e+300,"share":0.5}'
    with pytest.raises(ValidationFailed):
        canonical_document({"far": 4.1e16})


def test_every_character_of_the_first_planes_is_written_alike() -> None:
    everything = "".join(chr(point) for point in range(0x10000) if not 0xD800 <= point < 0xE000) + "😀"
    assert canonical_json(everything) == rfc8785.dumps(everything)


@pytest.mark.parametrize("document", [2**53, {"a": [-(2**53)]}, float("nan"), float("inf"), "\ud800", {"\udfff": 1}])
def test_what_has_no_exact_form_is_refused(document: Any) -> None:
    with pytest.raises(ValidationFailed):
        canonical_json(document)
