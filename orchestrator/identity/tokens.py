"""JWTs: short-lived access tokens and rotating refresh tokens (RFC 9700 §4.14.2), both bound to a token family.

Every check reads the family, the user and the membership again, so that a sign-out, a deactivation, a removal or
another password works at once and not when the token expires. A sign-in is not an event of the org's log: it changes
nothing that the org can see; its record is the TokenFamily row.
"""

import functools
import logging
import uuid
from dataclasses import dataclass

from django.db import DEFAULT_DB_ALIAS, transaction
from django.utils.crypto import constant_time_compare
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken, Token

from orchestrator.core import clock, sql
from orchestrator.core.errors import NotAuthenticated
from orchestrator.core.ids import parse_uuid
from orchestrator.identity.models import TokenFamily, User

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TokenPair:
    access_token: str
    refresh_token: str
    expires_in: int  # seconds that the access token lives


def start_family(*, user: User, org_id: uuid.UUID) -> TokenPair:
    """A new sign-in of ``user`` in an org."""
    expires_at = clock.now() + api_settings.REFRESH_TOKEN_LIFETIME
    family = TokenFamily.objects.create(user=user, org_id=org_id, expires_at=expires_at)
    return _pair(family, user)


def rotate(refresh_token: str) -> TokenPair:
    """Spend a refresh token for a new pair.

    Raises NotAuthenticated when it is not valid; when it was spent before, its whole family is revoked first.
    """
    claims = _decode(RefreshToken, refresh_token)
    family_id, jti = _uuid_claim(claims, "family"), _uuid_claim(claims, "jti")
    with transaction.atomic():
        family = TokenFamily.objects.select_for_update().filter(pk=family_id).first()
        member = _member(family.user_id, family.org_id, family.id) if family else None
        if family is None or member is None or not _password_unchanged(claims, member[0]):
            raise NotAuthenticated
        if reused := family.current_jti != jti:
            _revoke(family.id)
        else:
            family.current_jti = uuid.uuid4()
            family.save(update_fields=["current_jti"])
    if reused:  # outside the transaction, which must keep the revocation
        log.warning("A spent refresh token came back: sign-in %s of user %s is revoked.", family.id, family.user_id)
        raise NotAuthenticated
    return _pair(family, member[0])


def end_family(either_token: str) -> bool:
    """Sign out: nothing of the token's family works from now on. False when the token is forged or has expired."""
    try:
        family_id = _uuid_claim(_decode(_EitherToken, either_token), "family")
    except NotAuthenticated:
        return False
    _revoke(family_id)
    return True


def member_of(access_token: str) -> tuple[User, uuid.UUID, str]:
    """Whom an access token speaks for, in which org, and their role there. One query. Raises NotAuthenticated."""
    claims = _verified(access_token)
    org_id = _uuid_claim(claims, "org")
    member = _member(_uuid_claim(claims, "user_id"), org_id, _uuid_claim(claims, "family"))
    if member is None or not _password_unchanged(claims, member[0]):
        raise NotAuthenticated
    user, role = member
    return user, org_id, role


def _pair(family: TokenFamily, user: User) -> TokenPair:
    access, refresh = AccessToken(), RefreshToken()
    for token in (access, refresh):
        token["user_id"], token["org"], token["family"] = str(family.user_id), str(family.org_id), str(family.id)
        token["auth"] = user.get_session_auth_hash()
    refresh["jti"] = str(family.current_jti)
    refresh.set_exp(claim="exp", from_time=family.created_at)  # rotation does not make a sign-in last for ever
    lifetime = int(api_settings.ACCESS_TOKEN_LIFETIME.total_seconds())
    return TokenPair(str(access), str(refresh), lifetime)


def _password_unchanged(claims: Token, user: User) -> bool:
    """A token carries an HMAC of the password's hash, as Django's sessions do: setting another one ends them all."""
    return constant_time_compare(str(claims.get("auth")), _auth_hash(user.password))


@functools.lru_cache(maxsize=4096)
def _auth_hash(password: str) -> str:
    return User(password=password).get_session_auth_hash()


class _EitherToken(AccessToken):
    """An access or a refresh token: both name their family."""

    def verify_token_type(self) -> None:
        """Either type will do."""


def _decode(kind: type[Token], encoded: str) -> Token:
    try:
        return kind(encoded)  # type: ignore[arg-type]
    except TokenError as error:
        raise NotAuthenticated from error


def _verified(access_token: str) -> Token:
    """The claims of an access token that is genuine and has not expired. Raises NotAuthenticated."""
    token = _genuine(access_token)
    try:
        token.check_exp(current_time=clock.now())
    except TokenError as error:
        raise NotAuthenticated from error
    return token


@functools.lru_cache(maxsize=4096)
def _genuine(access_token: str) -> Token:
    """A signature stays good, so it is checked once for each token; what may change is asked every time."""
    return _decode(AccessToken, access_token)


def _uuid_claim(claims: Token, name: str) -> uuid.UUID:
    value = parse_uuid(str(claims.get(name)))
    if value is None:
        raise NotAuthenticated
    return value


# Written out because every request with a token executes it: see orchestrator/core/sql.py.
_MEMBER = """
    SELECT m.role, u.password, u.is_superuser, u.email, u.name, u.is_active, u.is_staff FROM identity_tokenfamily f
    JOIN identity_user u ON u.id = f.user_id
    JOIN identity_membership m ON m.user_id = f.user_id AND m.org_id = f.org_id
    WHERE f.id = %s AND f.user_id = %s AND f.org_id = %s AND f.revoked_at IS NULL AND f.expires_at > %s AND u.is_active
"""


_USER_FIELDS = ("password", "is_superuser", "id", "email", "name", "is_active", "is_staff")  # in the model's own order


def _member(user_id: uuid.UUID, org_id: uuid.UUID, family_id: uuid.UUID) -> tuple[User, str] | None:
    """The active user of a live family who is still a member of its org, and their role there."""
    found = sql.row(_MEMBER, [family_id, user_id, org_id, clock.now()])
    if found is None:
        return None
    role, password, is_superuser, *others = found
    return User.from_db(DEFAULT_DB_ALIAS, _USER_FIELDS, (password, is_superuser, user_id, *others)), role


def _revoke(family_id: uuid.UUID) -> None:
    TokenFamily.objects.filter(pk=family_id, revoked_at=None).update(revoked_at=clock.now())
