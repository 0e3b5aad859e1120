"""Canonical JSON (RFC 8785) and the SHA-256 addresses and ETags made from it."""

import hashlib
import json
from typing import Any, Final

import orjson
import rfc8785

from orchestrator.core.errors import ValidationFailed

_MAX_EXACT: Final = 2**53 - 1


def canonical_json(document: Any) -> bytes:
    """The RFC 8785 form of a JSON document.

    Raises ValidationFailed for what has no exact form: NaN, infinities, integers beyond 2^53, lone surrogates.
    """
    return _written(document, _plain(document))


def _written(document: Any, plain: bool) -> bytes:
    try:
        return orjson.dumps(document, option=orjson.OPT_SORT_KEYS) if plain else rfc8785.dumps(document)
    except (rfc8785.CanonicalizationError, orjson.JSONEncodeError, UnicodeEncodeError) as error:
        raise ValidationFailed(f"The document has no canonical JSON form: {error}") from error


def canonical_document(document: Any) -> bytes:
    """The same for a document that is stored and read again: it must come back to the same form.

    RFC 8785 writes the float 4e16 as an integer, which no reader may take for exact. Raises ValidationFailed then, too.
    """
    plain = _plain(document)
    written = _written(document, plain)
    if not plain:
        canonical_json(json.loads(written))
    return written


def is_exact(value: Any) -> bool:
    """Whether every number in a JSON document is one that all readers hold exactly, also after a database kept it:
    PostgreSQL gives the float 1e22 back as an integer, which has no canonical form.
    """
    kind = type(value)
    if kind is float or kind is int:
        return bool(-_MAX_EXACT <= value <= _MAX_EXACT)
    if kind is dict:
        return all(map(is_exact, value.values()))
    return kind not in (list, tuple) or all(map(is_exact, value))


def _plain(value: Any) -> bool:
    """Whether orjson's sorted form is the canonical one, ten times sooner.

    It is unless a number is a float (RFC 8785 writes them as ECMAScript does) or beyond exactness, or a key is not
    ASCII (RFC 8785 sorts by UTF-16 units, orjson by UTF-8 bytes); a test compares the two.
    """
    kind = type(value)
    if kind is str:
        return True
    if kind is dict:
        for key, member in value.items():
            if type(key) is not str or not key.isascii() or not _plain(member):
                return False
        return True
    if kind is list:
        return all(map(_plain, value))
    if kind is int:
        return bool(-_MAX_EXACT <= value <= _MAX_EXACT)
    return kind is bool or value is None


def sha256_hex(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def digest(data: bytes) -> str:
    """The content address of some bytes: ``sha256:<hex>``."""
    return f"sha256:{sha256_hex(data)}"
