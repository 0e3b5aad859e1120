"""The base of every viewset: what CONTRACT §2 asks of each endpoint, once; a viewset says only what is its own."""

import uuid
from typing import Any, ClassVar, cast

from django.db.models import QuerySet
from django.http import QueryDict
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from orchestrator.api import conditional, lists, parsers
from orchestrator.api.serializers import StrictSerializer
from orchestrator.core.errors import NotFound, ValidationFailed
from orchestrator.core.ids import parse_uuid
from orchestrator.events import services as events
from orchestrator.identity.actors import Actor
from orchestrator.identity.querysets import OrgQuerySet


class BaseViewSet(ViewSet):
    """Reads need ``read_scope``, writes ``write_scope`` (empty: none); ``public_actions`` take anonymous callers, and
    ``for_agents`` the keys of runtime agents, which see their own rows alone.
    """

    read_scope: ClassVar[str] = "read"
    write_scope: ClassVar[str] = "write"
    public_actions: ClassVar[tuple[str, ...]] = ()
    for_agents: ClassVar[tuple[str, ...]] = ()
    max_body_bytes: ClassVar[int] = parsers.DEFAULT_LIMIT
    listing: ClassVar[lists.Listing]

    @property
    def actor(self) -> Actor:
        return cast(Actor, self.request.auth)

    def body(self, serializer: type[StrictSerializer], *, partial: bool = False) -> dict[str, Any]:
        """The validated request body. Raises ValidationError by field."""
        if not isinstance(self.request.data, dict):
            raise ValidationFailed(details={"body": ["Send a JSON object."]})
        checked = serializer(data=self.request.data, partial=partial)
        checked.is_valid(raise_exception=True)
        return checked.validated_data

    def parameters(self, *known: str) -> QueryDict:
        """The query. Raises ValidationFailed for a parameter that is not ``known``."""
        query: QueryDict = self.request.query_params
        if unknown := [name for name in query if name not in (*known, "format")]:
            raise ValidationFailed(details={name: ["There is no such parameter."] for name in unknown})
        return query

    def no_parameters(self) -> None:
        """Raises ValidationFailed for any query parameter, on endpoints that take none."""
        self.parameters()

    def path_id(self, text: str) -> uuid.UUID:
        """An id from the path; a malformed one names nothing. Raises NotFound."""
        found = parse_uuid(text)
        if found is None:
            raise NotFound
        return found

    def resource(self, resource: dict[str, Any], *, status: int = 200, location: str | None = None) -> Response:
        """A single resource with its strong ETag; 304 when a read names it in If-None-Match."""
        body, etag = conditional.represent(resource)
        response = self.conditional(body, etag, status=status)
        if location:
            response["Location"] = location
        return response

    def conditional(self, body: bytes, etag: str, *, status: int = 200) -> Response:
        """``body`` with ``etag``, or 304 without it."""
        sent = self.request.headers.get("If-None-Match")
        if sent is not None and self.request.method in ("GET", "HEAD"):
            if tag := conditional.matching_tag(sent, etag):
                return Response(status=304, headers={"ETag": tag})
        return Response(body, status=status, headers={"ETag": etag})

    def check_if_match(self, resource: dict[str, Any]) -> None:
        """Raises PreconditionRequired without If-Match and PreconditionFailed when it names another version."""
        _, etag = conditional.represent(resource)
        conditional.check_if_match(self.request.headers.get("If-Match"), etag)

    def required_version(self, resource: dict[str, Any]) -> int | None:
        """The version that If-Match allows to write over; None for any (``*``). Raises like check_if_match."""
        self.check_if_match(resource)
        return None if self.request.headers["If-Match"].strip() == "*" else resource["version"]

    def asked_version(self, resource: dict[str, Any]) -> int | None:
        """The same where If-Match may be left out."""
        return self.required_version(resource) if "If-Match" in self.request.headers else None

    def list_rows(self, org_id: uuid.UUID) -> QuerySet[Any]:
        """The rows of the org that this viewset lists, unfiltered and unordered."""
        raise NotImplementedError

    def answer_list(self, org_id: uuid.UUID, *, revision: Any = None, within: Any = None) -> Response:
        """The org's list, or 304; a runtime agent's own rows of it. ``within`` names a narrower place than the org,
        such as one run.
        """
        if revision is None:
            revision = events.revision(org_id, self.listing.kind)
        agent = self.actor if self.request.auth and self.actor.is_agent else None
        scope = (org_id, self.listing.kind, within, agent and agent.id, revision)

        def rows() -> QuerySet[Any]:
            found = self.list_rows(org_id)
            return cast(OrgQuerySet, found).seen_by(agent) if agent else found

        body, etag = lists.answer(self.listing, rows, scope, self.request.query_params)
        return self.conditional(body, etag)

    def list(self, request: Request) -> Response:
        return self.answer_list(self.actor.org_id)
