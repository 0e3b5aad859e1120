"""Every state change of identity. Each records its event in the same transaction."""

import hashlib
import secrets
import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from django.conf import settings
from django.contrib.auth import authenticate
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Q

from orchestrator.core import clock
from orchestrator.core.errors import Conflict, NotAuthenticated, NotFound, PermissionDenied, ValidationFailed
from orchestrator.identity import bindings, tokens
from orchestrator.identity.actors import AGENT_SCOPES, SCOPES, Actor
from orchestrator.identity.journal import record
from orchestrator.identity.models import ApiKey, Membership, Organization, Role, TokenFamily, User, normal_email
from orchestrator.identity.querysets import membership_in

DEVELOPMENT_ORG: Final = uuid.UUID(int=1)  # seed 003's ids
DEVELOPMENT_USER: Final = uuid.UUID(int=2)
_KEY_PREFIX_LENGTH: Final = 12


def log_in(*, email: str, password: str, organization: str = "") -> tokens.TokenPair:
    """A token pair for the person, in ``organization`` (slug or id) or their first one. Raises NotAuthenticated."""
    # Django hashes the password of an unknown address, too: both failures take the same time.
    user = authenticate(username=normal_email(email), password=password)
    member = membership_in(user, organization) if isinstance(user, User) else None
    if member is None:
        raise NotAuthenticated
    return tokens.start_family(user=member.user, org_id=member.org_id)


@transaction.atomic
def create_organization(*, slug: str, name: str, owner: User, org_id: uuid.UUID | None = None) -> Organization:
    """A new org with ``owner`` as its first member. Raises Conflict when the slug is taken."""
    try:
        with transaction.atomic():
            org = Organization.objects.create(slug=slug, name=name, **({"id": org_id} if org_id else {}))
    except IntegrityError as error:
        raise Conflict(f"The slug {slug!r} is taken.") from error
    Membership.objects.create(org=org, user=owner, role=Role.OWNER)
    record(
        actor=Actor("user", owner.id, org.id, frozenset()), event="organization_created", kind="organizations",
        target=f"organization:{org.id}", details={"slug": slug},
    )  # fmt: skip
    return org


@transaction.atomic
def found_organization(*, actor: Actor, slug: str, name: str) -> Organization:
    """An org of the actor's own, beside the one they act in.

    Raises PermissionDenied for machines, which own nothing, and Conflict for a slug that is taken or the operator's:
    anonymous callers and the keys of API_KEYS land in PUBLIC_ORG, which must not be for the first comer to found.
    """
    actor.require("write")
    if actor.kind != "user":
        raise PermissionDenied("Only a person can found an organization.")
    if slug == settings.PUBLIC_ORG:
        raise Conflict(f"The slug {slug!r} is taken.")
    return create_organization(slug=slug, name=name, owner=User.objects.get(pk=str(actor.id)))


@transaction.atomic
def rename_organization(*, actor: Actor, slug: str, name: str) -> Organization:
    """Raises NotFound, PermissionDenied, and Conflict when the slug is taken."""
    actor.require("admin")
    org: Organization | None = Organization.objects.select_for_update().filter(pk=actor.org_id).first()
    if org is None:
        raise NotFound
    org.slug, org.name = slug, name
    try:
        with transaction.atomic():
            org.save(update_fields=["slug", "name"])
    except IntegrityError as error:
        raise Conflict(f"The slug {slug!r} is taken.") from error
    record(
        actor=actor, event="organization_renamed", kind="organizations", target=f"organization:{org.id}",
        details={"slug": slug, "name": name},
    )  # fmt: skip
    return org


@transaction.atomic
def save_user(*, by: User, user: User) -> None:
    """Keep an operator's change of a person (name, address, active or not, password) and tell each of their orgs."""
    user.save()
    for member in Membership.objects.filter(user=user).order_by("org_id"):
        actor = Actor("user", by.id, member.org_id, frozenset())
        details = {"user_id": str(user.id), "is_active": user.is_active}
        record(actor=actor, event="member_updated", kind="members", target=f"member:{member.id}", details=details)


@transaction.atomic
def add_member(*, actor: Actor, email: str, role: str, name: str = "", password: str = "") -> Membership:
    """Make a person a member of the actor's org; somebody new needs a first password.

    Raises Conflict when they are a member already, PermissionDenied, ValidationFailed for a weak or missing password.
    """
    actor.require("admin")
    _only_owners_make_owners(actor, role)
    user = User.objects.filter(email=normal_email(email)).first() or _new_user(email, name, password)
    member, created = Membership.objects.get_or_create(org_id=actor.org_id, user=user, defaults={"role": role})
    if not created:
        raise Conflict("This person is a member already.")
    _record_member(actor, "member_added", member)
    return member


@transaction.atomic
def change_role(*, actor: Actor, member_id: uuid.UUID, role: str) -> Membership:
    """Raises NotFound, PermissionDenied, and Conflict when it would leave the org without an owner."""
    actor.require("admin")
    member = _member_for_update(actor, member_id)
    _only_owners_make_owners(actor, role, member.role)
    if role != Role.OWNER:
        _keep_an_owner(member)
    member.role = role
    member.save(update_fields=["role"])
    _record_member(actor, "member_role_changed", member)
    return member


@transaction.atomic
def remove_member(*, actor: Actor, member_id: uuid.UUID) -> None:
    """Their tokens and sessions stop working in this org at once. Raises like change_role."""
    actor.require("admin")
    member = _member_for_update(actor, member_id)
    _only_owners_make_owners(actor, member.role)
    _keep_an_owner(member)
    TokenFamily.objects.filter(user_id=member.user_id, org_id=member.org_id, revoked_at=None).update(
        revoked_at=clock.now()
    )
    _record_member(actor, "member_removed", member)
    member.delete()


@transaction.atomic
def create_api_key(
    *,
    actor: Actor,
    name: str,
    scopes: Iterable[str],
    expires_at: datetime | None = None,
    runtime_agent_id: uuid.UUID | None = None,
) -> tuple[ApiKey, str]:
    """A new key and its secret, which is not kept. One with a ``runtime_agent_id`` is that agent's own.

    Raises PermissionDenied, and ValidationFailed for scopes that its maker lacks or that no agent has, for a moment
    that is past, and for an agent that is not there or has ended.
    """
    actor.require("admin")
    wanted = sorted(set(scopes))
    if lacking := [scope for scope in wanted if scope not in SCOPES or not actor.may(scope)]:
        raise ValidationFailed(details={"scopes": [f"You cannot give: {', '.join(lacking)}."]})
    if runtime_agent_id is not None:
        if not AGENT_SCOPES.issuperset(wanted):
            raise ValidationFailed(details={"scopes": ["An agent may have: read, write."]})
        bindings.require(actor.org_id, runtime_agent_id)
    if expires_at is not None and expires_at <= clock.now():
        raise ValidationFailed(details={"expires_at": ["Must lie in the future."]})
    secret = f"ork_{secrets.token_urlsafe(32)}"
    key = ApiKey.objects.create(
        org_id=actor.org_id, name=name, prefix=prefix_of(secret), hashed_secret=hash_secret(secret), scopes=wanted,
        created_by=str(actor), expires_at=expires_at, runtime_agent_id=runtime_agent_id,
    )  # fmt: skip
    bound = {"runtime_agent_id": str(runtime_agent_id)} if runtime_agent_id else {}
    record(
        actor=actor,
        event="api_key_created",
        kind="api_keys",
        target=f"api_key:{key.id}",
        details={"name": name, **bound},
    )
    return key, secret


@transaction.atomic
def revoke_api_key(*, actor: Actor, key_id: uuid.UUID) -> ApiKey:
    """The key stops working at once. Revoking it again changes nothing. Raises NotFound and PermissionDenied."""
    actor.require("admin")
    key: ApiKey | None = ApiKey.objects.for_org(actor.org_id).select_for_update().filter(pk=key_id).first()
    if key is None:
        raise NotFound
    if key.revoked_at is None:
        key.revoked_at = clock.now()
        key.save(update_fields=["revoked_at"])
        record(
            actor=actor,
            event="api_key_revoked",
            kind="api_keys",
            target=f"api_key:{key.id}",
            details={"name": key.name},
        )
    return key


def ensure_development_member(*, staff: bool = False) -> tuple[Membership, bool]:
    """Seed 003's org and user, reachable by DEV_USER_EMAIL and DEV_USER_PASSWORD. Existing rows stay as they are."""
    return ensure_member(
        org_id=DEVELOPMENT_ORG, slug="default", org_name="Default", user_id=DEVELOPMENT_USER,
        email=settings.DEV_USER_EMAIL, password=settings.DEV_USER_PASSWORD, staff=staff,
    )  # fmt: skip


@transaction.atomic
def ensure_member(
    *,
    org_id: uuid.UUID,
    slug: str,
    org_name: str,
    user_id: uuid.UUID,
    email: str,
    password: str | None,
    staff: bool = False,
) -> tuple[Membership, bool]:
    """The owner of a development org, both with fixed ids, made when missing; and whether something was made.

    Any number of callers may come at once. Raises Conflict when another org has the slug.
    """
    user = _user_with(user_id, email) or _made_user(user_id, email, password, staff)
    if not Organization.objects.filter(pk=org_id).exists():
        try:
            create_organization(slug=slug, name=org_name, owner=user, org_id=org_id)
            return Membership.objects.select_related("user").get(org_id=org_id, user=user), True
        except Conflict:  # a twin was faster, or the slug is taken
            if not Organization.objects.filter(pk=org_id).exists():
                raise
    member, created = Membership.objects.get_or_create(org_id=org_id, user=user, defaults={"role": Role.OWNER})
    if created:
        _record_member(Actor.system(org_id), "member_added", member)
    return member, created


def _user_with(user_id: uuid.UUID, email: str) -> User | None:
    return User.objects.filter(Q(pk=user_id) | Q(email=normal_email(email))).order_by("pk").first()


def _made_user(user_id: uuid.UUID, email: str, password: str | None, staff: bool) -> User:
    try:
        with transaction.atomic():
            return User.objects.create_user(email, password, id=user_id, is_staff=staff, is_superuser=staff)
    except IntegrityError:
        return User.objects.get(pk=user_id)


def hash_secret(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def prefix_of(secret: str) -> str:
    """The part of an API key that may be shown, and by which its row is found."""
    return secret[:_KEY_PREFIX_LENGTH]


def _new_user(email: str, name: str, password: str) -> User:
    if not password:
        raise ValidationFailed(details={"password": ["Nobody has this address yet: give a first password."]})
    try:
        validate_password(password, User(email=email, name=name))
    except ValidationError as error:
        raise ValidationFailed(details={"password": list(error.messages)}) from error
    try:
        with transaction.atomic():
            return User.objects.create_user(email, password, name=name)
    except IntegrityError:  # somebody else has just added them
        return User.objects.get(email=normal_email(email))


def _member_for_update(actor: Actor, member_id: uuid.UUID) -> Membership:
    """Locks the org's owners with the member, always in the same order: of two owners who leave at once, one stays."""
    wanted = Q(pk=member_id) | Q(role=Role.OWNER)
    members = Membership.objects.for_org(actor.org_id).select_related("user").filter(wanted).order_by("pk")
    locked: dict[uuid.UUID, Membership] = {member.pk: member for member in members.select_for_update(of=("self",))}
    if member_id not in locked:
        raise NotFound
    return locked[member_id]


def _only_owners_make_owners(actor: Actor, *roles: str) -> None:
    if Role.OWNER in roles and actor.role != Role.OWNER and actor.kind != "system":
        raise PermissionDenied("Only an owner can do this to an owner.")


def _keep_an_owner(member: Membership) -> None:
    owners = Membership.objects.filter(org_id=member.org_id, role=Role.OWNER)
    if [owner.pk for owner in owners] == [member.pk]:
        raise Conflict("An organization needs at least one owner.")


def _record_member(actor: Actor, event: str, member: Membership) -> None:
    details = {"user_id": str(member.user_id), "role": member.role}
    record(actor=actor, event=event, kind="members", target=f"member:{member.id}", details=details)
