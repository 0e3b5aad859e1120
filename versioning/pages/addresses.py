"""How the pages of workflows are addressed. A tag may have slashes in it: ``a/edit`` is the form that edits ``a``."""

from typing import Final

from django.urls import reverse

from orchestrator.core.errors import NotFound, ValidationFailed
from orchestrator.core.ids import parse_uuid
from orchestrator.identity.actors import Actor
from versioning import refs
from versioning.models import Artifact, Tag

# Last words of our own paths. The page of a tag that ends in one has the word "page" behind it.
WORDS: Final = frozenset({
    "branch", "delete", "diff", "download", "edit", "history", "merge", "new", "page", "promote", "redo", "undo",
})  # fmt: skip


def page_url(name: str) -> str:
    """The page of the workflow under the tag ``name``."""
    if name.rpartition("/")[2] in WORDS:
        return reverse("dashboard-workflow-page", args=[name])
    return reverse("dashboard-workflow", args=[name])


def tag_of(actor: Actor, name: str) -> Tag:
    """The tag of the path, with its artifact. Raises NotFound, also for another org's."""
    try:
        return refs.live_tag(actor.org_id, name)
    except NotFound:
        raise NotFound("There is no such workflow in this organization.") from None


def tag_by_id(actor: Actor, tag_id: str) -> Tag | None:
    """The tag with this id, if it is one: events name tags so, and no tag is called like an id."""
    found = parse_uuid(tag_id)
    return Tag.objects.for_org(actor.org_id).live().filter(pk=found).first() if found else None


def version_of(actor: Actor, tag: Tag, at: str) -> Artifact:
    """The version that ``at`` names: the number of a move of ``tag``, or any ref; the head when it is empty.

    Raises NotFound, ValidationFailed.
    """
    if not at:
        return tag.head
    try:
        return refs.at_move(tag, int(at)) if refs.is_move(at) else refs.resolve(actor.org_id, at)
    except ValidationFailed as error:
        raise ValidationFailed(" ".join(error.details["ref"])) from error
