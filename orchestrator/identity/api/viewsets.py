"""/auth, /api/v1/api-keys, /api/v1/members and /api/v1/organizations."""

import uuid
from typing import Any

from django.db.models import Max, QuerySet, Value
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from orchestrator.api import throttles
from orchestrator.api.idempotency import idempotent, idempotent_secret
from orchestrator.api.lists import Listing
from orchestrator.api.viewsets import BaseViewSet
from orchestrator.core.errors import NotAuthenticated, NotFound
from orchestrator.events import services as events
from orchestrator.identity import services, tickets, tokens
from orchestrator.identity.actors import Actor
from orchestrator.identity.api import serializers as bodies
from orchestrator.identity.models import ApiKey, Membership, Organization, User

_NO_STORE = {"Cache-Control": "no-store"}  # RFC 6749 §5.1: no cache keeps an answer with a credential in it


class SignInViewSet(BaseViewSet):
    """Takes credentials itself, so that a stale header never stands in the way of a new sign-in."""

    authentication_classes = ()
    public_actions = ("login", "refresh", "logout")

    @extend_schema(request=bodies.LogIn, responses=bodies.TokenPairBody)
    def login(self, request: Request) -> Response:
        """Sign in by e-mail and password. A wrong address and a wrong password get the same 401."""
        body = self.body(bodies.LogIn)
        throttles.limit_login(request._request, body["email"])
        return self._pair(services.log_in(**body))

    @extend_schema(request=bodies.Refresh, responses=bodies.TokenPairBody)
    def refresh(self, request: Request) -> Response:
        """Spend a refresh token for a new pair. One that was spent before ends the whole sign-in (RFC 9700 §4.14.2)."""
        return self._pair(tokens.rotate(self.body(bodies.Refresh)["refresh_token"]))

    @extend_schema(request=bodies.LogOut, responses={204: None})
    def logout(self, request: Request) -> Response:
        """End the sign-in of the bearer token, of the refresh token, or of each. Once more is no error."""
        scheme, _, bearer = request.headers.get("Authorization", "").strip().partition(" ")
        sent = [bearer.strip()] if scheme.lower() == "bearer" else []
        if request._request.content_type == "application/json" and request._request.body:
            sent += self.body(bodies.LogOut).values()
        ended = [tokens.end_family(token) for token in sent]
        if not any(ended):
            raise NotAuthenticated
        return Response(status=204)

    def _pair(self, pair: tokens.TokenPair) -> Response:
        return Response(bodies.token_pair_json(pair), headers=_NO_STORE)


class TicketViewSet(BaseViewSet):
    write_scope = "read"  # it opens no more than its holder may read

    @extend_schema(request=None, responses={201: bodies.TicketBody})
    def create(self, request: Request) -> Response:
        """A ticket to open one WebSocket with, as `?ticket=`, within seconds and once: for browsers."""
        secret, seconds = tickets.issue(actor=self.actor)
        return Response({"ticket": secret, "expires_in": seconds}, status=201, headers=_NO_STORE)


class MeViewSet(BaseViewSet):
    read_scope = ""  # whoever holds a credential may ask what it is good for
    for_agents = ("retrieve",)

    @extend_schema(responses=bodies.MeBody)
    def retrieve(self, request: Request) -> Response:
        """Who you are, in which organization, what you may do there, and where else you could act."""
        self.no_parameters()
        mine = list(visible_organizations(self.actor).order_by("id"))
        here = next((org for org in mine if org.pk == self.actor.org_id), None)
        if here is None:
            raise NotFound
        return self.resource({
            "actor": str(self.actor),
            "user": bodies.person_json(request.user) if isinstance(request.user, User) else None,
            "api_key": self._api_key(),
            "organization": bodies.organization_json(here),
            "role": self.actor.role,
            "scopes": sorted(self.actor.scopes),
            "organizations": [bodies.organization_json(org) for org in mine],
        })  # fmt: skip

    def _api_key(self) -> dict[str, Any] | None:
        key = ApiKey.objects.filter(pk=str(self.actor.id)).first() if self.actor.kind == "api_key" else None
        return bodies.api_key_json(key) if key else None  # a key of API_KEYS has no row


class ApiKeyViewSet(BaseViewSet):
    """Machines' credentials. Only administrators see and make them."""

    read_scope = write_scope = "admin"
    listing = Listing("api_keys", lambda rows: [bodies.api_key_json(row) for row in rows])

    def list_rows(self, org_id: uuid.UUID) -> QuerySet[ApiKey]:
        return ApiKey.objects.for_org(org_id)

    @extend_schema(responses=bodies.ApiKeyBody(many=True))
    def list(self, request: Request) -> Response:
        """The org's keys, newest first, revoked ones too; never their secrets."""
        org_id = self.actor.org_id
        # Using a key is no event, but it shows in the list.
        last_use = self.list_rows(org_id).aggregate(at=Max("last_used_at"))["at"]
        return self.answer_list(org_id, revision=(events.revision(org_id, "api_keys"), last_use))

    @extend_schema(request=bodies.CreateApiKey, responses={201: bodies.NewApiKeyBody})
    @idempotent_secret
    def create(self, request: Request) -> Response:
        """Make a key. Its ``secret`` is in this answer and nowhere else (a repeated Idempotency-Key gets it again)."""
        key, secret = services.create_api_key(actor=self.actor, **self.body(bodies.CreateApiKey))
        shown = {**bodies.api_key_json(key), "secret": secret}
        response = self.resource(shown, status=201, location=f"/api/v1/api-keys/{key.id}")
        response["Cache-Control"] = "no-store"
        return response

    @extend_schema(responses=bodies.ApiKeyBody)
    def retrieve(self, request: Request, key_id: str) -> Response:
        """One key, without its secret."""
        self.no_parameters()
        key = self.list_rows(self.actor.org_id).filter(pk=self.path_id(key_id)).first()
        if key is None:
            raise NotFound
        return self.resource(bodies.api_key_json(key))

    @extend_schema(request=None, responses=bodies.ApiKeyBody)
    def revoke(self, request: Request, key_id: str) -> Response:
        """The key stops working at once. Its row stays. Revoking it again changes nothing."""
        return self.resource(
            bodies.api_key_json(services.revoke_api_key(actor=self.actor, key_id=self.path_id(key_id)))
        )

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, key_id: str) -> Response:
        """The same as revoke, without a body."""
        services.revoke_api_key(actor=self.actor, key_id=self.path_id(key_id))
        return Response(status=204)


class MemberViewSet(BaseViewSet):
    """The people of the org. Everybody in it sees them, administrators change them, owners change owners."""

    write_scope = "admin"
    listing = Listing("members", lambda rows: [bodies.member_json(row) for row in rows])

    def list_rows(self, org_id: uuid.UUID) -> QuerySet[Membership]:
        return Membership.objects.for_org(org_id).select_related("user")

    @extend_schema(responses=bodies.MemberBody(many=True))
    def list(self, request: Request) -> Response:
        """The org's people, newest first."""
        return self.answer_list(self.actor.org_id)

    @extend_schema(request=bodies.AddMember, responses={201: bodies.MemberBody})
    @idempotent
    def create(self, request: Request) -> Response:
        """Make a person a member; somebody new to this installation needs a first password."""
        member = services.add_member(actor=self.actor, **self.body(bodies.AddMember))
        return self.resource(bodies.member_json(member), status=201, location=f"/api/v1/members/{member.id}")

    @extend_schema(responses=bodies.MemberBody)
    def retrieve(self, request: Request, member_id: str) -> Response:
        """One member."""
        self.no_parameters()
        return self.resource(bodies.member_json(self.member(member_id)))

    @extend_schema(request=bodies.ChangeRole, responses=bodies.MemberBody)
    def partial_update(self, request: Request, member_id: str) -> Response:
        """Give another role. 409 when the org would be left without an owner."""
        member = self.member(member_id)  # who is not there is a 404, whatever the body says
        member = services.change_role(actor=self.actor, member_id=member.id, role=self.body(bodies.ChangeRole)["role"])
        return self.resource(bodies.member_json(member))

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, member_id: str) -> Response:
        """Remove a person; their sign-ins in this org end at once."""
        services.remove_member(actor=self.actor, member_id=self.path_id(member_id))
        return Response(status=204)

    def member(self, member_id: str) -> Membership:
        """The org's member. Raises NotFound."""
        member: Membership | None = self.list_rows(self.actor.org_id).filter(pk=self.path_id(member_id)).first()
        if member is None:
            raise NotFound
        return member


class OrganizationViewSet(BaseViewSet):
    """The orgs that the caller belongs to, whichever of them the credentials are for."""

    listing = Listing("organizations", lambda rows: [bodies.organization_json(row) for row in rows])

    def list_rows(self, org_id: uuid.UUID) -> QuerySet[Organization]:
        return visible_organizations(self.actor)

    @extend_schema(responses=bodies.OrganizationBody(many=True))
    def list(self, request: Request) -> Response:
        """The orgs that you belong to, newest first.

        They change in many logs, so no event number can stand for them; the few values that the list shows can.
        """
        rows: QuerySet[Any] = self.list_rows(self.actor.org_id)
        revision = tuple(rows.order_by("id").values_list("id", "role", "slug", "name"))
        return self.answer_list(self.actor.org_id, revision=revision, within=str(self.actor))

    @extend_schema(request=bodies.FoundOrganization, responses={201: bodies.OrganizationBody})
    @idempotent
    def create(self, request: Request) -> Response:
        """Found an org that you own. Sign in with ``organization`` to act in it."""
        org = services.found_organization(actor=self.actor, **self.body(bodies.FoundOrganization))
        mine = visible_organizations(self.actor).get(pk=org.pk)
        return self.resource(bodies.organization_json(mine), status=201, location=f"/api/v1/organizations/{org.id}")

    @extend_schema(responses=bodies.OrganizationBody)
    def retrieve(self, request: Request, organization_id: str) -> Response:
        """One of your orgs."""
        self.no_parameters()
        org = visible_organizations(self.actor).filter(pk=self.path_id(organization_id)).first()
        if org is None:
            raise NotFound
        return self.resource(bodies.organization_json(org))


def visible_organizations(actor: Actor) -> QuerySet[Organization]:
    """Those of a person, with their ``role``; a machine's only one."""
    if actor.kind == "user" and actor.id:
        mine: QuerySet[Organization] = Organization.objects.seen_by_user(actor.id)
        return mine
    only: QuerySet[Organization] = Organization.objects.filter(pk=actor.org_id).annotate(role=Value(""))
    return only
