"""Idempotency-Key (draft-ietf-httpapi-idempotency-key-header, CONTRACT §2): a repeated POST gets the first answer.

Two transactions: the first claims the key, so that a twin meanwhile gets 409; the second does the work and keeps its
answer with it, so that a process killed at any line has either done both or neither. A claim left behind by a dead
process is taken over after LOCK; the holder's id fences off the late writer.

An answer with a secret in it is sealed: the database alone, or a backup of it, does not give the secret away, and the
caller whose connection broke still gets it. Requests are compared by an HMAC, because bodies may carry passwords; so
with another SECRET_KEY no old answer is ever opened.
"""

import base64
import functools
import hashlib
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final, cast

from cryptography.fernet import Fernet
from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.utils.crypto import salted_hmac
from rest_framework.request import Request
from rest_framework.response import Response

from orchestrator.api.models import IdempotencyRecord
from orchestrator.api.renderers import to_json
from orchestrator.core import clock
from orchestrator.core.errors import IdempotencyConflict, ValidationFailed
from orchestrator.identity.actors import Actor

HEADER: Final = "Idempotency-Key"
KEEP: Final = timedelta(hours=24)
LOCK: Final = timedelta(seconds=30)
_KEPT_HEADERS: Final = ("ETag", "Location", "Cache-Control")
_SWEPT_AT_ONCE: Final = 100

Action = Callable[..., Response]


def idempotent(action: Action, *, sealed: bool = False) -> Action:
    """Decorates a viewset action that creates. Only successes are kept: after an error the caller may try again."""

    @functools.wraps(action)
    def once(view: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        key = request.headers.get(HEADER)
        if key is None:
            return action(view, request, *args, **kwargs)
        if not 1 <= len(key) <= 255 or not key.isprintable():
            raise ValidationFailed(details={HEADER: ["Must have 1 to 255 printable characters."]})
        claim, fresh = _claim(cast(Actor, request.auth), key, _hash(request))
        if not fresh:
            return _replay(claim, sealed)
        return _perform(claim, lambda: action(view, request, *args, **kwargs), sealed)

    once.takes_idempotency_key = True  # type: ignore[attr-defined]  # read by orchestrator.api.schema
    return once


def idempotent_secret(action: Action) -> Action:
    """The same for an action that answers with a secret."""
    return idempotent(action, sealed=True)


def _hash(request: Request) -> str:
    raw = request._request
    sent = b"\n".join((str(raw.method).encode(), raw.path.encode(), raw.body))
    return salted_hmac("orchestrator.api.idempotency", sent, algorithm="sha256").hexdigest()


@transaction.atomic
def _claim(actor: Actor, key: str, request_hash: str) -> tuple[IdempotencyRecord, bool]:
    """The key's record, and whether the caller holds it and must do the work."""
    now = clock.now()
    _sweep(now)
    named = {"org_id": actor.org_id, "actor": str(actor), "key": key}
    fresh = {"request_hash": request_hash, "holder": uuid.uuid4(), "locked_until": now + LOCK, "created_at": now}
    try:
        with transaction.atomic():
            return IdempotencyRecord.objects.create(**named, **fresh), True
    except IntegrityError:
        claim = IdempotencyRecord.objects.select_for_update().filter(**named).first()
    if claim is None:  # the other request failed in this very moment
        raise IdempotencyConflict(headers={"Retry-After": "1"})
    if claim.created_at < now - KEEP:
        return _taken_over(claim, {**fresh, "status_code": None, "headers": {}, "body": b""}), True
    if claim.request_hash != request_hash:
        raise ValidationFailed(details={HEADER: ["This key was used with another request."]})
    if claim.status_code is not None:
        return claim, False
    if claim.locked_until > now:
        raise IdempotencyConflict(headers={"Retry-After": "1"})
    return _taken_over(claim, fresh), True


def _taken_over(claim: IdempotencyRecord, fields: dict[str, Any]) -> IdempotencyRecord:
    for name, value in fields.items():
        setattr(claim, name, value)
    claim.save(update_fields=list(fields))
    return claim


def _sweep(now: datetime) -> None:
    """Answers older than KEEP go with the next claims, a few at a time: no request pays for a long silence."""
    old = IdempotencyRecord.objects.filter(created_at__lt=now - KEEP).order_by("created_at")
    ids = old.select_for_update(skip_locked=connection.features.has_select_for_update_skip_locked)
    IdempotencyRecord.objects.filter(pk__in=ids.values("pk")[:_SWEPT_AT_ONCE]).delete()


def _perform(claim: IdempotencyRecord, work: Callable[[], Response], sealed: bool) -> Response:
    mine = IdempotencyRecord.objects.filter(pk=claim.pk, holder=claim.holder, status_code=None)
    try:
        with transaction.atomic():
            response = work()
            body = response.data if isinstance(response.data, bytes) else to_json(response.data)
            headers = {name: response[name] for name in _KEPT_HEADERS if name in response}
            kept = _seal().encrypt(body) if sealed else body
            if not mine.update(status_code=response.status_code, headers=headers, body=kept):
                raise IdempotencyConflict("Another request took this key over.")
    except BaseException:
        mine.delete()
        raise
    return response


def _replay(claim: IdempotencyRecord, sealed: bool) -> Response:
    body = _seal().decrypt(bytes(claim.body)) if sealed else bytes(claim.body)
    return Response(body, status=claim.status_code, headers={**claim.headers, "Idempotent-Replayed": "true"})


def _seal() -> Fernet:
    digest = hashlib.sha256(b"orchestrator.api.idempotency" + settings.SECRET_KEY.encode()).digest()
    return Fernet(base64.urlsafe_b64encode(digest))
