"""Who there is: organizations, users, memberships, API keys, and the token families that sign-ins make."""

import uuid
from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.db.models.functions import Lower

from orchestrator.core import clock
from orchestrator.core.ids import uuid7
from orchestrator.identity.querysets import ApiKeyQuerySet, OrganizationQuerySet, OrgQuerySet


class Organization(models.Model):
    """The tenant. Every domain row belongs to one."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    slug = models.SlugField(max_length=64, unique=True)
    name = models.CharField(max_length=200)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    objects = OrganizationQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name


def normal_email(email: str) -> str:
    """The one spelling of an address that is stored and looked up, so that one unique index serves both."""
    return email.strip().lower()


class UserManager(BaseUserManager["User"]):
    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email=normal_email(username or ""))

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=normal_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)


class User(AbstractBaseUser, PermissionsMixin):
    """A person, who logs in by e-mail."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    email = models.EmailField(unique=True)
    name = models.CharField(max_length=200, blank=True)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects = UserManager()

    class Meta:
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_any_case_unique")]

    def __str__(self) -> str:
        return self.email

    def save(self, **options: Any) -> None:
        self.email = normal_email(self.email)
        super().save(**options)


class Role(models.TextChoices):
    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"
    VIEWER = "viewer"


class Membership(models.Model):
    """A person's role in an org."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    org = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role.choices, default=Role.MEMBER)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    objects = OrgQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["org", "user"], name="membership_once")]

    def __str__(self) -> str:
        return f"{self.user_id} is {self.role} of {self.org_id}"


class ApiKey(models.Model):
    """A machine's credential in an org. Only the secret's SHA-256 is kept: 32 random bytes need no salt.

    ``runtime_agent_id``, when there is one, is whose own it is. Not a foreign key: agents live in a room above.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    org = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=16, unique=True, editable=False)
    hashed_secret = models.CharField(max_length=64, editable=False)
    scopes = models.JSONField(default=list)
    runtime_agent_id = models.UUIDField(null=True, editable=False)
    created_by = models.CharField(max_length=80, editable=False)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        verbose_name = "API key"
        indexes = [models.Index(fields=["org", "id"], name="api_key_by_org")]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix})"


class SocketTicket(models.Model):
    """A single-use right to open one WebSocket, for browsers, which can send no header with it. It lives in the
    database, so that it is good for every process once. Only the secret's SHA-256 is kept.
    """

    hashed_secret = models.CharField(max_length=64, primary_key=True, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    org = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+")
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"ticket of {self.user_id}"


class TokenFamily(models.Model):
    """One sign-in and its rotating refresh tokens. A spent one that comes back revokes them all (RFC 9700 §4.14.2)."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="token_families")
    org = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+")
    current_jti = models.UUIDField(default=uuid.uuid4, editable=False)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "token families"

    def __str__(self) -> str:
        return str(self.id)
