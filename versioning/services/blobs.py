"""Storing documents by content, and letting go of those that can be made again.

A definition's blob is found by the address that every version of it carries, so one row serves the root that it came
with, the runs that are frozen to it and the tags that stand on it. For any other version it is a copy that
versioning.materialisation can make again; kept are those of tag heads and of every KEEP_EVERYth patch of a chain.
"""

import uuid
from collections.abc import Container, Sequence
from typing import Any, Final

from django.db import connection

from orchestrator.core import clock, sql
from orchestrator.core.canonical import digest
from orchestrator.core.ids import uuid7
from versioning.models import Blob

KEEP_EVERY: Final = 32

_INSERT: Final = """
    INSERT INTO versioning_blob (id, org_id, digest, content, created_at) VALUES (%s, %s, %s, %s, %s)
    ON CONFLICT (org_id, digest) DO NOTHING
"""
_FIND: Final = "SELECT id FROM versioning_blob WHERE org_id = %s AND digest = %s"
_LOCK: Final = _FIND + " FOR UPDATE SKIP LOCKED"
# One rule for all that drops blobs: a version's own content stays, and its definition where a chain or a tag needs it.
_OWN: Final = "a.blob_id = versioning_blob.id"
_WHOLE: Final = f"""
    a.org_id = versioning_blob.org_id AND a.definition_digest = versioning_blob.digest
    AND (a.chain_length %% {KEEP_EVERY} = 0 OR EXISTS (SELECT 1 FROM versioning_tag t WHERE t.artifact_id = a.id))
"""  # noqa: S608 - a number of ours
_UNNEEDED: Final = f"""
    NOT EXISTS (SELECT 1 FROM versioning_artifact a WHERE {_OWN})
    AND NOT EXISTS (SELECT 1 FROM versioning_artifact a WHERE {_WHOLE})
"""  # noqa: S608
_FORGET: Final = f"DELETE FROM versioning_blob WHERE org_id = %s AND digest = %s AND {_UNNEEDED}"  # noqa: S608
_FORGET_MANY: Final = f"DELETE FROM versioning_blob WHERE id IN ({{ids}}) AND {_UNNEEDED} RETURNING {{size}}"  # noqa: S608
_NEEDED: Final = " UNION ALL ".join(
    "SELECT versioning_blob.id, a.id FROM versioning_blob "  # noqa: S608
    f"JOIN versioning_artifact a ON {needed} WHERE versioning_blob.id IN ({{ids}})"
    for needed in (_OWN, _WHOLE)
)


def put_blob(*, org_id: uuid.UUID, content: bytes) -> uuid.UUID:
    """The id of the org's blob with this canonical JSON, made when it is not there yet; the caller's transaction pins
    it.

    Not an event: a blob is no state that anybody sees; what refers to it records its own.
    """
    address = digest(content)
    while True:  # PostgreSQL: a row that another transaction takes away in between is made again
        if found := sql.row(_FIND + shared_lock(), [org_id, address]):
            return sql.uuid_of(found[0])
        blob_id = uuid7()
        if sql.run(_INSERT, [blob_id, org_id, address, content.decode(), clock.now()]):
            return blob_id


def forget_definition(*, org_id: uuid.UUID, digest: str) -> None:
    """Drop the definition's blob unless somebody needs it whole: a version's own content, a tag's head, a chain."""
    if connection.vendor == "postgresql" and not sql.row(_LOCK, [org_id, digest]):
        return  # somebody is about to refer to it; NOT EXISTS could not see that
    sql.run(_FORGET, [org_id, digest])


def unneeded(blob_ids: Sequence[uuid.UUID], gone: Container[uuid.UUID]) -> list[uuid.UUID]:
    """Those of the blobs that nobody needs, were it not for the versions ``gone``."""
    pairs = _rows(_NEEDED.format(ids=_places(blob_ids)), [*blob_ids, *blob_ids])
    needed = {sql.uuid_of(blob_id) for blob_id, artifact_id in pairs if sql.uuid_of(artifact_id) not in gone}
    return [blob_id for blob_id in blob_ids if blob_id not in needed]


def sizes(blob_ids: Sequence[uuid.UUID]) -> list[int]:
    """How many bytes each of the blobs has."""
    statement = f"SELECT {_size()} FROM versioning_blob WHERE id IN ({_places(blob_ids)})"  # noqa: S608
    return [size for (size,) in _rows(statement, blob_ids)] if blob_ids else []


def forget_unneeded(blob_ids: Sequence[uuid.UUID]) -> list[int]:
    """Drop those of the blobs that nobody needs and nobody is about to refer to, as forget_definition does; the sizes
    of the dropped ones.
    """
    rows = Blob.objects.filter(pk__in=blob_ids).select_for_update(skip_locked=True)
    if not (free := list(rows.values_list("pk", flat=True))):
        return []
    return [size for (size,) in _rows(_FORGET_MANY.format(ids=_places(free), size=_size()), free)]


def shared_lock(of: str = "") -> str:
    """PostgreSQL: nobody takes the row (of that table) away until this transaction has said what refers to it."""
    if connection.vendor != "postgresql":
        return ""
    return f" FOR KEY SHARE OF {of}" if of else " FOR KEY SHARE"


def _size() -> str:
    """SQLite's length() of a text counts characters."""
    return "octet_length(content)" if connection.vendor == "postgresql" else "length(CAST(content AS BLOB))"


def _places(values: Sequence[uuid.UUID]) -> str:
    return ", ".join(["%s"] * len(values))


def _rows(statement: str, values: Sequence[uuid.UUID]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, [sql.adapt(value) for value in values])
        found: list[tuple[Any, ...]] = cursor.fetchall()
        return found
