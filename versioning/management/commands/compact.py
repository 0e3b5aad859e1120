"""``manage.py compact``: new roots for long chains of patches."""

import uuid
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from orchestrator.identity.models import Organization
from orchestrator.identity.querysets import org_named
from versioning.models import Tag
from versioning.services import upkeep
from versioning.services.blobs import KEEP_EVERY


class Command(BaseCommand):
    help = "Gives tags whose chain of patches is too long a new root. No tag moves, and history stays as it is."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tag", help="only tags of this name")
        parser.add_argument("--org", help="only tags of this organization (slug or id)")
        parser.add_argument(
            "--limit", type=int, default=8 * KEEP_EVERY, help="patches in a chain (default: %(default)s)"
        )
        parser.add_argument("--dry-run", action="store_true", help="only say what would be done")

    def handle(self, *args: Any, tag: str | None, org: str | None, limit: int, dry_run: bool, **options: Any) -> None:
        """Raises CommandError for an organization or a tag that is not there, and for a limit below 0."""
        if limit < 0:
            raise CommandError("--limit is 0 or more.")
        org_id = _org_id(org) if org is not None else None
        if tag is not None:
            _require_tag(tag, org_id)
        if dry_run:
            rows = list(upkeep.long_chains(limit=limit, tag=tag, org_id=org_id))
            self._say("Would compact", rows)
        else:
            self._say("Compacted", [done.tag for done in upkeep.compact_chains(limit=limit, tag=tag, org_id=org_id)])

    def _say(self, done: str, tags: list[Tag]) -> None:
        for tag in tags:
            assert tag.artifact is not None, "live"
            self.stdout.write(f"{done} {tag.org.slug} {tag.name}: {tag.artifact.chain_length} patches.")
        self.stdout.write(f"{done}: {len(tags)}.")


def _org_id(name: str) -> uuid.UUID:
    found = Organization.objects.filter(org_named(name)).values_list("id", flat=True).first()
    if found is None:
        raise CommandError(f"There is no organization {name!r}.")
    return found


def _require_tag(name: str, org_id: uuid.UUID | None) -> None:
    rows = Tag.objects.live().filter(name=name)
    if not (rows.for_org(org_id) if org_id else rows).exists():
        raise CommandError(f"There is no tag {name!r}.")
