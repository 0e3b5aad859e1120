"""Idempotency-Key (draft-ietf-httpapi-idempotency-key-header; CONTRACT §2): a repeated POST gets the first one's answer.

Two transactions: the first claims the key, so that a twin meanwhile gets 409; the second does the work and keeps its answer
with it, so that a process killed at any line has either done both or neither. A claim left behind by a dead process is taken
over after LOCK_SECONDS; the holder's id fences off the late writer.
"""

import functools
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from django.db import IntegrityError, transaction
from rest_framework.request import Request
from rest_framework.response import Response

from orchestrator.api.models import IdempotencyRecord
from orchestrator.api.renderers import to_json
from orchestrator.core import clock
from orchestrator.core.canonical import sha256_hex
from orchestrator.core.errors import IdempotencyConflict, ValidationFailed
from orchestrator.identity.actors import Actor

HEADER: Final = "Idempotency-Key"
KEEP: Final = timedelta(hours=24)
LOCK: Final = timedelta(seconds=30)
_KEPT_HEADERS: Final = ("ETag", "Location")

Action = Callable[..., Response]


def idempotent(action: Action) -> Action:
    """Decorates a viewset action that creates. Only successes are kept: after an error the caller may mend and try again."""

    @functools.wraps(action)
    def once(view: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        key = request.headers.get(HEADER)
        if key is None:
            return action(view, request, *args, **kwargs)
        if not 1 <= len(key) <= 255 or not key.isprintable():
            raise ValidationFailed(details={HEADER: ["Must have 1 to 255 printable characters."]})
        claim, fresh = _claim(request.auth, key, _hash(request))
        return _perform(claim, lambda: action(view, request, *args, **kwargs)) if fresh else _replay(claim)

    return once


def _hash(request: Request) -> str:
    raw = request._request
    return sha256_hex(b"\n".join((str(raw.method).encode(), raw.path.encode(), raw.body)))


@transaction.atomic
def _claim(actor: Actor, key: str, request_hash: str) -> tuple[IdempotencyRecord, bool]:
    """The key's record, and whether the caller holds it and must do the work."""
    now, named = clock.now(), {"org_id": actor.org_id, "actor": str(actor), "key": key}
    fields = {"request_hash": request_hash, "holder": uuid.uuid4(), "locked_until": now + LOCK, "created_at": now}
    IdempotencyRecord.objects.filter(**named, created_at__lt=now - KEEP).delete()
    try:
        with transaction.atomic():
            return IdempotencyRecord.objects.create(**named, **fields), True
    except IntegrityError:
        claim = IdempotencyRecord.objects.select_for_update().get(**named)
    if claim.request_hash != request_hash:
        raise ValidationFailed(details={HEADER: ["This key was used with another request."]})
    if claim.status_code is None:
        if claim.locked_until > now:
            raise IdempotencyConflict(headers={"Retry-After": "1"})
        claim.holder, claim.locked_until = fields["holder"], fields["locked_until"]  # type: ignore[assignment]
        claim.save(update_fields=["holder", "locked_until"])
        return claim, True
    return claim, False


def _perform(claim: IdempotencyRecord, work: Callable[[], Response]) -> Response:
    mine = IdempotencyRecord.objects.filter(pk=claim.pk, holder=claim.holder, status_code=None)
    try:
        with transaction.atomic():
            response = work()
            body = response.data if isinstance(response.data, bytes) else to_json(response.data)
            headers = {name: response[name] for name in _KEPT_HEADERS if name in response}
            if not mine.update(status_code=response.status_code, headers=headers, body=body):
                raise IdempotencyConflict("Another request took this key over.")
    except BaseException:
        mine.delete()
        raise
    return response


def _replay(claim: IdempotencyRecord) -> Response:
    headers = {**claim.headers, "Idempotent-Replayed": "true"}
    return Response(bytes(claim.body), status=claim.status_code, headers=headers)
