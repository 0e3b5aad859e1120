"""Canonical JSON (RFC 8785) and the SHA-256 addresses and ETags made from it."""

import hashlib
from typing import Any

import rfc8785

from orchestrator.core.errors import ValidationFailed


def canonical_json(document: Any) -> bytes:
    """The RFC 8785 form of a JSON document.

    Raises ValidationFailed for what has no exact form: NaN, infinities, integers beyond 2^53, lone surrogates.
    """
    try:
        return rfc8785.dumps(document)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as error:
        raise ValidationFailed(f"The document has no canonical JSON form: {error}") from error


def sha256_hex(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def digest(data: bytes) -> str:
    """The content address of some bytes: ``sha256:<hex>``."""
    return f"sha256:{sha256_hex(data)}"
