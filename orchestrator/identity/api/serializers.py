"""Bodies of the identity endpoints, in and out. A secret appears in one of them alone: ``NewApiKeyBody``."""

from typing import Any

from django.core.validators import RegexValidator
from django.utils.text import slugify
from rest_framework import serializers

from orchestrator.api.serializers import IdField, StrictSerializer
from orchestrator.core import clock
from orchestrator.core.ids import parse_uuid
from orchestrator.identity.actors import SCOPES
from orchestrator.identity.models import ApiKey, Membership, Organization, Role, User
from orchestrator.identity.tokens import TokenPair

SLUG = RegexValidator(r"^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?\Z", "Use a-z, 0-9 and hyphens between them, 64 at most.")


class LogIn(StrictSerializer):
    email = serializers.CharField(max_length=254)
    password = serializers.CharField(max_length=1024, trim_whitespace=False)
    organization = serializers.CharField(
        max_length=64, default="", allow_blank=True, help_text="Slug or id; else your first."
    )


class Refresh(StrictSerializer):
    refresh_token = serializers.CharField(max_length=4096)


class LogOut(StrictSerializer):
    refresh_token = serializers.CharField(max_length=4096, required=False)


class CreateApiKey(StrictSerializer):
    name = serializers.CharField(max_length=100)
    scopes = serializers.ListField(child=serializers.ChoiceField(SCOPES), allow_empty=False, max_length=len(SCOPES))
    expires_at = serializers.DateTimeField(required=False, allow_null=True, default=None)
    runtime_agent_id = IdField(
        required=False, allow_null=True, default=None,
        help_text="Makes the key this runtime agent's own: it reaches what is the agent's, and nothing else.",
    )  # fmt: skip


class AddMember(StrictSerializer):
    email = serializers.EmailField(max_length=254)
    role = serializers.ChoiceField(Role.choices, default=Role.MEMBER)
    name = serializers.CharField(max_length=200, default="", allow_blank=True)
    password = serializers.CharField(
        max_length=1024,
        default="",
        allow_blank=True,
        trim_whitespace=False,
        help_text="For somebody new: their first one.",
    )


class ChangeRole(StrictSerializer):
    role = serializers.ChoiceField(Role.choices)


class FoundOrganization(StrictSerializer):
    name = serializers.CharField(max_length=200)
    slug = serializers.CharField(required=False, validators=[SLUG], help_text="Made from the name when you give none.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        slug = attrs.setdefault("slug", slugify(attrs["name"])[:64].strip("-_").replace("_", "-"))
        if not slug or parse_uuid(slug):  # orgs are named by slug or id, so a slug must not look like an id
            raise serializers.ValidationError(
                {"slug": ["Give a slug of letters, digits and hyphens that is not an id."]}
            )
        return attrs


class TokenPairBody(serializers.Serializer):
    access_token = serializers.CharField()
    token_type = serializers.ChoiceField(["bearer"])
    expires_in = serializers.IntegerField(help_text="Seconds that the access token lives.")
    refresh_token = serializers.CharField(help_text="Good for one use; the answer to it carries the next.")


class TicketBody(serializers.Serializer):
    ticket = serializers.CharField(help_text="Good for one WebSocket.")
    expires_in = serializers.IntegerField(help_text="Seconds that the ticket lives.")


class ApiKeyBody(serializers.Serializer):
    id = serializers.UUIDField()
    name = serializers.CharField()
    prefix = serializers.CharField(help_text="The beginning of the secret, to tell keys apart.")
    scopes = serializers.ListField(child=serializers.ChoiceField(SCOPES))
    runtime_agent_id = serializers.UUIDField(allow_null=True, help_text="Whose own it is.")
    created_by = serializers.CharField()
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    revoked_at = serializers.DateTimeField(allow_null=True)
    last_used_at = serializers.DateTimeField(allow_null=True)


class NewApiKeyBody(ApiKeyBody):
    secret = serializers.CharField(help_text="Shown here and never again. Send it as X-API-Key.")


class MemberBody(serializers.Serializer):
    id = serializers.UUIDField()
    user_id = serializers.UUIDField()
    email = serializers.EmailField()
    name = serializers.CharField()
    role = serializers.ChoiceField(Role.choices)
    is_active = serializers.BooleanField()
    created_at = serializers.DateTimeField()


class OrganizationBody(serializers.Serializer):
    id = serializers.UUIDField()
    slug = serializers.CharField()
    name = serializers.CharField()
    role = serializers.CharField(allow_blank=True, help_text="Yours in it; empty for an API key.")
    created_at = serializers.DateTimeField()


class PersonBody(serializers.Serializer):
    id = serializers.UUIDField()
    email = serializers.EmailField()
    name = serializers.CharField()


class MeBody(serializers.Serializer):
    actor = serializers.CharField(help_text="How events and records name you: user:<id>, api_key:<id> or agent:<id>.")
    user = PersonBody(allow_null=True)
    api_key = ApiKeyBody(allow_null=True)
    organization = OrganizationBody()
    role = serializers.CharField(allow_blank=True)
    scopes = serializers.ListField(child=serializers.ChoiceField(SCOPES))
    organizations = OrganizationBody(many=True)


def token_pair_json(pair: TokenPair) -> dict[str, Any]:
    return {
        "access_token": pair.access_token,
        "token_type": "bearer",
        "expires_in": pair.expires_in,
        "refresh_token": pair.refresh_token,
    }


def api_key_json(key: ApiKey) -> dict[str, Any]:
    return {
        "id": str(key.id),
        "name": key.name,
        "prefix": key.prefix,
        "scopes": key.scopes,
        "runtime_agent_id": str(key.runtime_agent_id) if key.runtime_agent_id else None,
        "created_by": key.created_by,
        "created_at": clock.rfc3339(key.created_at),
        "expires_at": key.expires_at and clock.rfc3339(key.expires_at),
        "revoked_at": key.revoked_at and clock.rfc3339(key.revoked_at),
        "last_used_at": key.last_used_at and clock.rfc3339(key.last_used_at),
    }


def member_json(member: Membership) -> dict[str, Any]:
    return {
        "id": str(member.id),
        "user_id": str(member.user_id),
        "email": member.user.email,
        "name": member.user.name,
        "role": member.role,
        "is_active": member.user.is_active,
        "created_at": clock.rfc3339(member.created_at),
    }


def organization_json(org: Organization) -> dict[str, Any]:
    return {
        "id": str(org.id),
        "slug": org.slug,
        "name": org.name,
        "role": getattr(org, "role", ""),
        "created_at": clock.rfc3339(org.created_at),
    }


def person_json(user: User) -> dict[str, Any]:
    return {"id": str(user.id), "email": user.email, "name": user.name}
