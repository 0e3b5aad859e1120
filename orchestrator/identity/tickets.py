"""Single-use tickets for WebSockets: a browser can send no header with one, and a token in a URL ends up in logs."""

import hashlib
import secrets
import uuid
from datetime import timedelta
from typing import Final

from orchestrator.core import clock
from orchestrator.core.errors import NotAuthenticated, PermissionDenied
from orchestrator.identity.actors import Actor
from orchestrator.identity.models import SocketTicket

LIFETIME: Final = timedelta(seconds=30)


def issue(*, actor: Actor) -> tuple[str, int]:
    """A new ticket and the seconds that it is good for. Raises PermissionDenied for anybody but a person.

    Not an event, like a sign-in: it changes nothing that the org can see.
    """
    if actor.kind != "user" or actor.id is None:
        raise PermissionDenied("Tickets are for people; a program sends its key as X-API-Key.")
    now = clock.now()
    SocketTicket.objects.filter(expires_at__lt=now).delete()
    secret = secrets.token_urlsafe(32)
    SocketTicket.objects.create(
        hashed_secret=_hash(secret), user_id=actor.id, org_id=actor.org_id, expires_at=now + LIFETIME
    )
    return secret, int(LIFETIME.total_seconds())


def redeem(secret: str) -> tuple[uuid.UUID, uuid.UUID]:
    """Spend a ticket: whose it was, and for which org. Raises NotAuthenticated for one that is not good (any more)."""
    found = SocketTicket.objects.filter(hashed_secret=_hash(secret), expires_at__gt=clock.now())
    whose = found.values_list("user_id", "org_id").first()
    # Of two who send it at once, one deletes the row.
    if whose is None or not found.delete()[0]:
        raise NotAuthenticated
    return whose


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
