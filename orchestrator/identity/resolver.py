"""Turns credentials into an Actor: one way for HTTP, streams and sockets (CONTRACT §2, Auth)."""

import hashlib
import hmac
import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.conf import settings
from django.contrib.auth.models import AnonymousUser

from orchestrator.core import clock
from orchestrator.core.errors import NotAuthenticated
from orchestrator.core.ids import parse_uuid
from orchestrator.identity import services, tokens
from orchestrator.identity.actors import AGENT_SCOPES, ROLE_SCOPES, SCOPES, Actor
from orchestrator.identity.models import ApiKey, Membership, Organization, User
from orchestrator.identity.querysets import membership_in, org_named

SESSION_ORG: Final = "organization_id"
STUB_ORG: Final = services.DEVELOPMENT_ORG
STUB_USER: Final = services.DEVELOPMENT_USER


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a caller sent: the Authorization and X-API-Key headers, and the session's user, if any."""

    authorization: str = ""
    api_key: str = ""
    session_user: User | AnonymousUser | None = None
    session_org: str = ""

    @classmethod
    def of(cls, request: Any) -> "Credentials":
        """Those of a Django request. The session is read only when neither header is there and its cookie is."""
        authorization, api_key = request.headers.get("Authorization", ""), request.headers.get("X-API-Key", "")
        if authorization or api_key or settings.SESSION_COOKIE_NAME not in request.COOKIES:
            return cls(authorization, api_key)
        return cls(session_user=request.user, session_org=request.session.get(SESSION_ORG, ""))


@dataclass(frozen=True, slots=True)
class Principal:
    """An actor and, where a person is behind it, their user row."""

    actor: Actor
    user: User | None = None
    by_session: bool = False


def resolve(credentials: Credentials) -> Principal | None:
    """Who the caller is; None when nothing was sent. Raises NotAuthenticated when what was sent is not good."""
    if credentials.authorization:
        return _from_bearer(credentials.authorization)
    if credentials.api_key:
        return Principal(_from_api_key(credentials.api_key))
    if isinstance(credentials.session_user, User):
        return _from_session(credentials.session_user, credentials.session_org)
    if settings.STUB_AUTH:
        return _from_stub(STUB_ORG, STUB_USER)
    return None


def resolve_member(user_id: uuid.UUID, org_id: uuid.UUID) -> Principal:
    """The person as a member of the org, now. Raises NotAuthenticated when they are not active, or no member."""
    member = Membership.objects.filter(org_id=org_id, user_id=user_id).select_related("user").first()
    if member is None or not member.user.is_active:
        raise NotAuthenticated
    return _of_member(member)


def public_org_id() -> uuid.UUID | None:
    """The org named by PUBLIC_ORG (slug or id), if there is one."""
    name = settings.PUBLIC_ORG
    if not name:
        return None
    return Organization.objects.filter(org_named(name)).values_list("pk", flat=True).first()


def _from_bearer(header: str) -> Principal:
    scheme, _, token = header.strip().partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise NotAuthenticated
    if settings.STUB_AUTH and (pair := _stub_pair(token)):
        return _from_stub(*pair)
    return _of_user(*tokens.member_of(token.strip()))


def _from_session(user: User, org: str) -> Principal:
    member = membership_in(user, org) or membership_in(user)
    if member is None or not user.is_active:
        raise NotAuthenticated
    return _of_member(member, by_session=True)


def _of_member(member: Membership, by_session: bool = False) -> Principal:
    return _of_user(member.user, member.org_id, member.role, by_session)


def _of_user(user: User, org_id: uuid.UUID, role: str, by_session: bool = False) -> Principal:
    return Principal(Actor("user", user.id, org_id, ROLE_SCOPES[role], role), user, by_session)


def _from_api_key(secret: str) -> Actor:
    if "\x00" in secret:  # PostgreSQL cannot even look for one
        raise NotAuthenticated
    hashed = services.hash_secret(secret)
    if any(hmac.compare_digest(hashed, services.hash_secret(known)) for known in settings.API_KEYS):
        return _from_environment_key(hashed)
    now = clock.now()
    key = ApiKey.objects.usable(now).filter(prefix=services.prefix_of(secret)).first()
    if key is None or not hmac.compare_digest(key.hashed_secret, hashed):
        raise NotAuthenticated
    if key.last_used_at is None or key.last_used_at < now - timedelta(
        minutes=1
    ):  # one write a minute, not one a request
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=now)
    if key.runtime_agent_id is not None:
        return Actor("agent", key.runtime_agent_id, key.org_id, AGENT_SCOPES.intersection(key.scopes))
    return Actor("api_key", key.pk, key.org_id, frozenset(key.scopes))


def _from_environment_key(hashed: str) -> Actor:
    """A key of API_KEYS acts in PUBLIC_ORG, or in the oldest org; it has no row, so its id is made from its hash."""
    org_id = public_org_id() or Organization.objects.order_by("id").values_list("pk", flat=True).first()
    if org_id is None:
        raise NotAuthenticated
    made_id = uuid.UUID(bytes=hashlib.sha256(hashed.encode()).digest()[:16], version=4)
    return Actor("api_key", made_id, org_id, frozenset(SCOPES) - {"admin"})


def _stub_pair(token: str) -> tuple[uuid.UUID, uuid.UUID] | None:
    org, _, user = token.strip().partition(":")
    org_id, user_id = parse_uuid(org), parse_uuid(user)
    return (org_id, user_id) if org_id and user_id else None


def _from_stub(org_id: uuid.UUID, user_id: uuid.UUID) -> Principal:
    """Seed 003's stub: any org and user are taken at their word, and made when they are not there yet."""
    members = Membership.objects.filter(org_id=org_id, user_id=user_id).select_related("user")
    member = members.first() or _made_stub(org_id, user_id)
    if not member.user.is_active:
        raise NotAuthenticated
    return _of_member(member)


def _made_stub(org_id: uuid.UUID, user_id: uuid.UUID) -> Membership:
    if (org_id, user_id) == (STUB_ORG, STUB_USER):
        return services.ensure_development_member(staff=True)[0]
    slug, name = ("default", "Default") if org_id == STUB_ORG else (str(org_id), f"Stub org {org_id}")
    return services.ensure_member(
        org_id=org_id, slug=slug, org_name=name, user_id=user_id, email=f"{user_id}@stub.invalid", password=None,
    )[0]  # fmt: skip
