"""What the viewsets of tags and workflows share: the tag of the path, and If-Match for it."""

from django.http import QueryDict

from orchestrator.api.viewsets import BaseViewSet
from orchestrator.core.errors import NotFound, PreconditionFailed, ValidationFailed
from versioning import refs
from versioning.api.answers import workflow_json
from versioning.api.serializers import tag_json
from versioning.models import Artifact, Tag

MAX_BODY_BYTES = 4 * 1024 * 1024


class VersioningViewSet(BaseViewSet):
    max_body_bytes = MAX_BODY_BYTES

    def tag(self, name: str) -> Tag:
        """The tag of the path. Raises NotFound, with the words that every path has that names nothing."""
        try:
            return refs.live_tag(self.actor.org_id, name)
        except NotFound:
            raise NotFound from None

    def named_tag(self, name: str) -> Tag:
        """The tag that a body names. Raises NotFound."""
        return refs.live_tag(self.actor.org_id, name)

    def ref(self, ref: str, field: str = "ref") -> Artifact:
        """The version that ``field`` of the request names. Raises NotFound and, for the field, ValidationFailed."""
        try:
            return refs.resolve(self.actor.org_id, ref)
        except ValidationFailed as error:
            raise ValidationFailed(details={field: error.details["ref"]}) from error

    def named_by(self, query: QueryDict, name: str) -> Artifact:
        """The version that a query parameter names. Raises as ref does, and without it ValidationFailed."""
        if not query.get(name):
            raise ValidationFailed(
                details={name: ["Name a version: a tag, tag~2, tag@{3}, an artifact's id or a digest."]}
            )
        return self.ref(str(query[name]), name)

    def required_tag_version(self, tag: Tag) -> int | None:
        """As required_version. A tag and the workflow under it are two resources with one state: the ETag of either
        will do.
        """
        try:
            return self.required_version(tag_json(tag))
        except PreconditionFailed:
            self.check_if_match(workflow_json(tag))
            return tag.version

    def asked_tag_version(self, tag: Tag) -> int | None:
        """The same where If-Match may be left out."""
        return self.required_tag_version(tag) if "If-Match" in self.request.headers else None
