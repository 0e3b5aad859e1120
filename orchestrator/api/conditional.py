"""Strong ETags and the preconditions on them (RFC 9110 §8.8.3, §13.1; CONTRACT §2)."""

import re
from typing import Final

from orchestrator.core.canonical import canonical_json, sha256_hex
from orchestrator.core.errors import PreconditionFailed, PreconditionRequired

_TAG: Final = re.compile(r'(W/)?("[\x21\x23-\x7e\x80-\xff]*")')
GZIP_SUFFIX: Final = '-gzip"'


def etag_of(body: bytes) -> str:
    """The quoted strong ETag of a representation."""
    return f'"{sha256_hex(body)}"'


def represent(resource: dict[str, object]) -> tuple[bytes, str]:
    """A resource's body, which is its canonical JSON (RFC 8785), and its ETag: `sha256sum` of the body checks it."""
    body = canonical_json(resource)
    return body, etag_of(body)


def gzip_tag(etag: str) -> str:
    """The tag of the compressed representation: another one, because the bytes are others (RFC 9110 §8.8.3.3)."""
    return etag[:-1] + GZIP_SUFFIX


def identity_tag(etag: str) -> str:
    return etag[: -len(GZIP_SUFFIX)] + '"' if etag.endswith(GZIP_SUFFIX) else etag


def matching_tag(if_none_match: str, etag: str) -> str | None:
    """The tag to answer a 304 with when ``If-None-Match`` names ``etag`` (weak comparison), else None."""
    if if_none_match.strip() == "*":
        return etag
    sent = (match[1] for match in _TAG.findall(if_none_match))
    return next((tag for tag in sent if identity_tag(tag) == etag), None)


def check_if_match(if_match: str | None, etag: str) -> None:
    """Raises PreconditionRequired without the header, PreconditionFailed when it names another version (strongly)."""
    if if_match is None:
        raise PreconditionRequired
    if if_match.strip() == "*":
        return
    if not any(not weak and identity_tag(tag) == etag for weak, tag in _TAG.findall(if_match)):
        raise PreconditionFailed
