"""Visibility: every read of a tenant's rows goes through ``for_org``."""

import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import F, Q

from orchestrator.core.ids import parse_uuid

if TYPE_CHECKING:
    from orchestrator.identity.actors import Actor
    from orchestrator.identity.models import Membership, User


class OrgQuerySet(models.QuerySet):
    """Base queryset of all rows that belong to an org."""

    def for_org(self, org_id: uuid.UUID) -> Self:
        return self.filter(org_id=org_id)

    def seen_by(self, actor: "Actor") -> Self:
        """Rows of the actor's org; for a runtime agent, those that are its own."""
        rows = self.for_org(actor.org_id)
        return rows.of_agent(actor.id) if actor.is_agent and actor.id else rows

    def of_agent(self, agent_id: uuid.UUID) -> Self:
        """What a runtime agent may see: nothing, unless a kind of rows says which of them are its own."""
        return self.none()


class OrganizationQuerySet(models.QuerySet):
    def seen_by_user(self, user_id: uuid.UUID) -> Self:
        """The person's orgs, each with their ``role`` in it."""
        return self.filter(memberships__user_id=user_id).annotate(role=F("memberships__role"))


class ApiKeyQuerySet(OrgQuerySet):
    def usable(self, now: datetime) -> Self:
        """Neither revoked nor expired."""
        return self.filter(Q(expires_at=None) | Q(expires_at__gt=now), revoked_at=None)


def org_named(name: str, prefix: str = "") -> Q:
    """The org with this slug or id; ``prefix`` reaches it through a relation, such as ``org__``."""
    by_slug = Q(**{f"{prefix}slug": name})
    org_id = parse_uuid(name)
    return by_slug | Q(**{f"{prefix}pk": org_id}) if org_id else by_slug


def membership_in(user: "User", org: str = "") -> "Membership | None":
    """The user's membership in ``org`` (slug or id), or in their first one when it is empty."""
    memberships = user.memberships.select_related("user").order_by("id")
    return memberships.filter(org_named(org, "org__")).first() if org else memberships.first()
