"""Names of versions: ``tag``, ``tag@{3}`` (the tag as of move 3), ``~2`` (two first parents back), an artifact's id, a
digest or the beginning of one, with or without ``sha256:``. A tag wins over a digest that begins alike, as in Git.
"""

import re
import uuid
from typing import Final

from orchestrator.core import sql
from orchestrator.core.errors import NotFound, ValidationFailed
from orchestrator.core.ids import parse_uuid
from versioning import lineage
from versioning.models import MAX_TAG_NAME, Artifact, Tag, TagMove

MIN_DIGEST_PREFIX: Final = 6
_MAX_STEPS: Final = 1_000_000
_REF: Final = re.compile(
    r"(?a)(?P<name>(?:sha256:)?[A-Za-z0-9._/-]+)(?:@\{(?P<move>\d{1,9})\})?(?P<steps>(?:~\d{0,7})*)"
)
_TAG: Final = re.compile(rf"[A-Za-z0-9._/-]{{1,{MAX_TAG_NAME}}}")
_HEX: Final = re.compile(rf"[0-9a-f]{{{MIN_DIGEST_PREFIX},64}}")
_LIVE: Final = "SELECT * FROM versioning_tag WHERE org_id = %s AND name = %s AND artifact_id IS NOT NULL"
_ARTIFACT: Final = "SELECT * FROM versioning_artifact WHERE id = %s"
# Last words of our own paths: /tags/a/undo is an action on "a", so a tag "a/undo" could not be asked for.
RESERVED: Final = frozenset({"history", "log", "move", "redo", "revert", "runs", "undo"})


def is_move(ref: str) -> bool:
    """Whether it is the number of a move; six digits and more are the beginning of a digest."""
    return ref.isascii() and ref.isdecimal() and len(ref) < MIN_DIGEST_PREFIX


def check_tag_name(name: str) -> None:
    """Raises ValidationFailed for what cannot name a tag."""
    if fault := _fault(name):
        raise ValidationFailed(details={"tag": [fault]})


def _fault(name: str) -> str | None:
    if not _TAG.fullmatch(name):
        return f"Use 1 to {MAX_TAG_NAME} letters, digits, dots, dashes, underscores and slashes."
    if name.startswith("/") or name.endswith("/"):
        return "May not begin or end with a slash."
    if ".." in name or not {"", "."}.isdisjoint(name.split("/")):
        return 'May not contain ".." and no part may be empty or "."'
    if parse_uuid(name):
        return "May not have the form of an id: that names a version."
    if "/" in name and name.rpartition("/")[2] in RESERVED:
        return f'May not end in "/{name.rpartition("/")[2]}": that is an address of the API.'
    return None


def resolve(org_id: uuid.UUID, ref: str) -> Artifact:
    """The version of the org that ``ref`` names.

    Raises ValidationFailed for what is not a ref, and for a digest that begins like several; NotFound for one that
    names nothing.
    """
    found = _REF.fullmatch(ref)
    if found is None or len(ref) > MAX_TAG_NAME + 100:
        raise ValidationFailed(details={"ref": [f"{ref[:100]!r} is not a name of a version."]})
    artifact = _as_of(org_id, found["name"], int(found["move"])) if found["move"] else _named(org_id, found["name"])
    steps = sum(int(step or 1) for step in found["steps"].split("~")[1:])
    return _back(artifact, steps, ref) if steps else artifact


def live_tag(org_id: uuid.UUID, name: str) -> Tag:
    """The tag with its artifact. Raises NotFound, for a deleted one too."""
    tag = find_tag(org_id, name)
    if tag is None:
        raise NotFound(f"There is no tag {name[:MAX_TAG_NAME]!r}.")
    return tag


def find_tag(org_id: uuid.UUID, name: str) -> Tag | None:
    """The live tag with its artifact, or None. Every request about versions asks this."""
    tag = sql.instance(Tag, _LIVE, [org_id, name]) if _TAG.fullmatch(name) else None
    if tag is not None:
        tag.artifact = sql.instance(Artifact, _ARTIFACT, [tag.artifact_id])
    return tag


def tag_of_any_life(org_id: uuid.UUID, name: str) -> Tag:
    """The tag, also when it is deleted: its history stays. Raises NotFound."""
    tag = Tag.objects.for_org(org_id).filter(name=name).first() if _TAG.fullmatch(name) else None
    if tag is None:
        raise NotFound
    return tag


def at_move(tag: Tag, number: int) -> Artifact:
    """Where the tag was after its move ``number``. Raises NotFound; a delete left it nowhere."""
    move = TagMove.objects.filter(tag=tag, number=number).select_related("to_artifact").first()
    if move is None or move.to_artifact is None:
        raise NotFound(f"The tag {tag.name!r} has no version as of move {number}.")
    return move.to_artifact


def _as_of(org_id: uuid.UUID, name: str, number: int) -> Artifact:
    return at_move(tag_of_any_life(org_id, name), number)


def _named(org_id: uuid.UUID, name: str) -> Artifact:
    if (tag := find_tag(org_id, name)) is not None and tag.artifact is not None:
        return tag.artifact
    if artifact_id := parse_uuid(name):
        found = Artifact.objects.for_org(org_id).filter(pk=artifact_id).first()
    else:
        found = _by_digest(org_id, name)
    if found is None:
        raise NotFound(f"There is no version {name[:MAX_TAG_NAME]!r}.")
    return found


def _by_digest(org_id: uuid.UUID, name: str) -> Artifact | None:
    """The oldest version with this content: a digest names content, and a version is where it first appeared."""
    prefix = name.removeprefix("sha256:")
    if not _HEX.fullmatch(prefix):
        return None
    low, high = f"sha256:{prefix}", f"sha256:{prefix}g"  # "g" comes after every hex digit
    rows = Artifact.objects.for_org(org_id).filter(definition_digest__gte=low, definition_digest__lt=high)
    digests = list(rows.order_by("definition_digest").values_list("definition_digest", flat=True).distinct()[:5])
    if len(digests) > 1:
        raise ValidationFailed(details={"ref": [f"{name!r} is ambiguous: it may be {' or '.join(digests)}."]})
    return rows.versions().order_by("id").first() or rows.order_by("id").first()


def _back(artifact: Artifact, steps: int, ref: str) -> Artifact:
    found = lineage.first_parent(artifact, min(steps, _MAX_STEPS))
    if found is None:
        raise NotFound(f"The history of {ref!r} is shorter than that.")
    return Artifact.objects.for_org(artifact.org_id).get(pk=found)
