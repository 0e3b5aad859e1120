"""What a version comes to: its definition, whole, for the same price at any depth.

Most often the definition is there under its address (versioning.services.blobs keeps those of tag heads); otherwise it
is made from the nearest whole one down the chain, which is never KEEP_EVERY patches away, and checked against the
address: a version is never answered with content that it does not have.
"""

import threading
import uuid
from typing import Any, Final

import cachetools
import orjson
from django.db import connection

from orchestrator.core import sql
from orchestrator.core.canonical import canonical_json, digest
from orchestrator.core.errors import NotFound
from versioning.documents import patch
from versioning.models import Artifact

_CACHE_BYTES: Final = 32 * 1024 * 1024
_WHOLE: Final = "SELECT content FROM versioning_blob WHERE org_id = %s AND digest = %s"
# From the version down to the first whose definition is there: its operations and, on the last row, that definition.
_CHAIN: Final = """
    WITH RECURSIVE chain (base_id, blob_id, definition_digest, steps) AS (
        SELECT base_id, blob_id, definition_digest, 0 FROM versioning_artifact WHERE id = %s
        UNION ALL
        SELECT a.base_id, a.blob_id, a.definition_digest, c.steps + 1
        FROM chain c JOIN versioning_artifact a ON a.id = c.base_id
        WHERE NOT EXISTS (SELECT 1 FROM versioning_blob b WHERE b.org_id = %s AND b.digest = c.definition_digest)
    )
    SELECT own.content, whole.content FROM chain c
    JOIN versioning_blob own ON own.id = c.blob_id
    LEFT JOIN versioning_blob whole ON whole.org_id = %s AND whole.digest = c.definition_digest
    ORDER BY c.steps DESC
"""

_cache: cachetools.LRUCache[tuple[uuid.UUID, str], bytes] = cachetools.LRUCache(_CACHE_BYTES, getsizeof=len)
_cache_lock = threading.Lock()


class Corrupt(Exception):
    """What the chain comes to is not what the version's address says. The rows were changed behind our back."""


def definition_of(artifact: Artifact) -> dict[str, Any]:
    """The version's definition, freshly parsed: the caller may write to it."""
    definition: dict[str, Any] = orjson.loads(content_of(artifact))
    return definition


def content_of(artifact: Artifact) -> bytes:
    """The version's definition as canonical JSON. Raises Corrupt, and NotFound when gc was faster."""
    key = (artifact.org_id, artifact.definition_digest)
    with _cache_lock:
        content = _cache.get(key)
    if content is None:
        content = _read(artifact)
        with _cache_lock:
            if len(content) < _CACHE_BYTES:
                _cache[key] = content
    return content


def _read(artifact: Artifact) -> bytes:
    found = sql.row(_WHOLE, [artifact.org_id, artifact.definition_digest])
    content = found[0].encode() if found else _made(artifact)
    if digest(content) != artifact.definition_digest:
        raise Corrupt(f"{artifact} does not come to {artifact.definition_digest}.")
    return content


def _made(artifact: Artifact) -> bytes:
    with connection.cursor() as cursor:
        cursor.execute(_CHAIN, [sql.adapt(value) for value in (artifact.id, artifact.org_id, artifact.org_id)])
        chain = cursor.fetchall()
    if not chain:
        raise NotFound("This version has just been collected.")
    definition = orjson.loads(chain[0][1])
    for operations, _ in chain[1:]:
        definition = patch.reapply(definition, orjson.loads(operations))
    return canonical_json(definition)


def forget() -> None:
    """Drop all kept content (tests use it to read from the rows)."""
    with _cache_lock:
        _cache.clear()
