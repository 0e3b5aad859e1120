"""JSON Patch (RFC 6902): the library applies, this module says why not, and how much is too much."""

from typing import Any, Final

import jsonpatch
import orjson
from jsonpointer import JsonPointerException

from orchestrator.core.errors import Conflict, PayloadTooLarge, ValidationFailed
from versioning.documents.pointers import ABSENT, MAX_DEPTH, depth, descend, get, join, same, split

MAX_OPERATIONS: Final = 1000
MAX_BYTES: Final = 16 * 1024 * 1024  # of all that passes through; what comes out is measured by whoever stores it

# RFC 6902 §4: what each operation must have beside its name.
_MEMBERS: Final = {
    "add": ("path", "value"),
    "remove": ("path",),
    "replace": ("path", "value"),
    "move": ("from", "path"),
    "copy": ("from", "path"),
    "test": ("path", "value"),
}
# Which pointer of an operation must lead to something already.
_SOURCE: Final = {"remove": "path", "replace": "path", "move": "from", "copy": "from"}


def apply(document: Any, operations: Any) -> Any:
    """The document after ``operations``, one after the other; it may be changed in place, also when this raises.

    Shares nothing with ``operations``. ``details`` names each faulty operation by its pointer, ``/operations/<n>``.
    Raises ValidationFailed for what RFC 6902 refuses, for more than MAX_OPERATIONS and for nesting over MAX_DEPTH,
    Conflict for a failing ``test``, and PayloadTooLarge when the document and all that is added exceed MAX_BYTES.
    """
    _require_operations(operations)
    room = MAX_BYTES - _size(document, "document")
    for index, operation in enumerate(operations):
        where = join("operations", str(index))
        _require_source(document, operation, where)
        # Before it is done: each copy of the whole into itself doubles it, and thirty of them fill any memory.
        room -= _growth(document, operation, where)
        if room <= 0:
            raise PayloadTooLarge(
                f"The patch adds or copies too much; {MAX_BYTES} bytes, with the document, is the most.",
                details={where: ["Too much is added or copied up to here: send less, or several patches."]},
            )
        document = _applied(document, operation, where)
    # Moves nest deeper step by step; measuring each would cost the whole document every time.
    moved = any(operation["op"] == "move" for operation in operations)
    if moved and depth(document, MAX_DEPTH) > MAX_DEPTH:
        raise _refusal("operations", f"The result is nested deeper than {MAX_DEPTH} levels; move less into each other.")
    return document


def reapply(document: Any, operations: list[dict[str, Any]]) -> Any:
    """The document after operations that were accepted before: the same result, without asking again whether it may be.

    It may be changed in place, and shares values with ``operations``.
    """
    return jsonpatch.apply_patch(document, operations, in_place=True)


def _require_operations(operations: Any) -> None:
    if not isinstance(operations, list):
        raise _refusal("operations", "Send an array of operations (RFC 6902).")
    if len(operations) > MAX_OPERATIONS:
        raise _refusal("operations", f"{len(operations)} operations are too many; {MAX_OPERATIONS} is the most.")
    shapes = ((join("operations", str(index)), _shape_faults(each)) for index, each in enumerate(operations))
    if faults := {where: sentences for where, sentences in shapes if sentences}:
        raise ValidationFailed("The patch is not a JSON Patch (RFC 6902).", details=faults)


def _shape_faults(operation: Any) -> list[str]:
    """What is wrong with an operation whatever the document; members that the RFC does not know are ignored (§4)."""
    if not isinstance(operation, dict):
        return ['An operation is an object with "op" and "path".']
    name = operation.get("op")
    if not isinstance(name, str) or name not in _MEMBERS:
        return [f'"op" must be one of {", ".join(_MEMBERS)}.']
    missing = [f'"{name}" needs the member "{member}".' for member in _MEMBERS[name] if member not in operation]
    given = [member for member in ("from", "path") if member in _MEMBERS[name] and member in operation]
    return missing + [sentence for member in given for sentence in _pointer_faults(member, operation[member])]


def _pointer_faults(member: str, pointer: Any) -> list[str]:
    if not isinstance(pointer, str):
        return [f'"{member}" must be a JSON Pointer, as a string.']
    try:
        split(pointer)
    except ValidationFailed as error:
        return [f'"{member}": {sentence}' for sentence in error.details[pointer]]
    return []


def _require_source(document: Any, operation: dict[str, Any], where: str) -> None:
    """What must be there is there. The library refuses the same, but says less about it."""
    name, path = operation["op"], operation["path"]
    if name == "move" and path != operation["from"] and _is_below(path, operation["from"]):
        raise _refusal(where, f"{operation['from'] or 'The whole document'} cannot be moved into its own child {path}.")
    if name == "remove" and not path:
        raise _refusal(where, "The whole document cannot be removed; replace it, or remove its members.")
    source = operation[_SOURCE[name]] if name in _SOURCE else ""
    if get(document, source) is ABSENT:
        mend = "name what is there, or add it" if name == "replace" else "name what is there"
        raise _refusal(where, f"There is nothing at {source} to {name}: {mend}.")


def _is_below(pointer: str, ancestor: str) -> bool:
    return pointer.startswith(ancestor + "/")


def _growth(document: Any, operation: dict[str, Any], where: str) -> int:
    """The bytes that an operation adds; what it removes is not counted. Refuses what would be nested too deep."""
    name = operation["op"]
    if name not in ("add", "replace", "copy"):
        return 0
    value = get(document, operation["from"]) if name == "copy" else operation["value"]
    # Before it is measured and copied: both recurse.
    if len(split(operation["path"])) + depth(value, MAX_DEPTH) > MAX_DEPTH:
        raise _refusal(where, f"The value would be nested deeper than {MAX_DEPTH} levels; make it flatter.")
    return _size(value, where)


def _size(value: Any, where: str) -> int:
    try:
        return len(orjson.dumps(value))
    except orjson.JSONEncodeError as error:
        raise _refusal(where, f"This cannot be written as JSON: {error}.") from error


def _applied(document: Any, operation: dict[str, Any], where: str) -> Any:
    if operation["op"] == "test":
        _require_equal(document, operation, where)
        return document
    try:
        return jsonpatch.apply_patch(document, [operation], in_place=True)
    except (jsonpatch.JsonPatchException, JsonPointerException) as error:
        raise _refusal(where, _destination_fault(document, operation["path"])) from error


def _require_equal(document: Any, operation: dict[str, Any], where: str) -> None:
    """RFC 6902 §4.6, by our own equality: the library has had 1 equal to true."""
    found, place = get(document, operation["path"]), operation["path"] or "The whole document"
    if found is ABSENT:
        sentence = f"There is nothing at {place}, where the patch expects a value"
    elif not same(found, operation["value"]):
        sentence = f"{place} is not what the patch expects"
    else:
        return
    raise Conflict(
        "A test in the patch failed; nothing was changed.",
        details={where: [f"{sentence}: read the document again and make the patch anew."]},
    )


def _destination_fault(document: Any, path: str) -> str:
    """Why nothing can be put at ``path``; of a move, what it moves is gone from ``document`` already, as in §4.4."""
    *above, last = split(path)
    parent, place = descend(document, above), join(*above) or "the whole document"
    if parent is ABSENT:
        return f"There is nothing at {place} to put {last!r} into: add that first."
    if isinstance(parent, list):
        return f"{last!r} is no place in the array at {place}: give an index from 0 to {len(parent)}, or - for its end."
    return f"{place} is neither an object nor an array, so it cannot hold {last!r}: replace it first."


def _refusal(where: str, sentence: str) -> ValidationFailed:
    return ValidationFailed("The patch cannot be applied.", details={where: [sentence]})
