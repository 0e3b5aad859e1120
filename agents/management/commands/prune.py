"""``manage.py prune``: removes old lines, and what is old and done with."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser

from agents.services import retention
from orchestrator.core import clock
from orchestrator.identity.models import Organization
from orchestrator.identity.querysets import org_named

_MAX_DAYS: Final = 36_500


class Command(BaseCommand):
    help = (
        "Removes old log lines of agents or of the platform, old leases that have ended, or old prompts that have "
        "ended, of agents that have, too."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--kind", choices=_kinds(), required=True)
        parser.add_argument("--older-than-days", type=int, required=True, help="younger ones stay")
        parser.add_argument("--org", help="only of this organization (slug or id)")
        parser.add_argument("--dry-run", action="store_true", help="only say what would be removed")

    def handle(
        self, *args: Any, kind: str, older_than_days: int, org: str | None, dry_run: bool, **options: Any
    ) -> None:
        """Raises CommandError for an organization that is not there, and for days that make no sense."""
        if not 0 <= older_than_days <= _MAX_DAYS:
            raise CommandError(f"--older-than-days is 0 to {_MAX_DAYS}.")
        before, total = clock.now() - timedelta(days=older_than_days), 0
        done = "Would remove" if dry_run else "Removed"
        for found in _organizations(org):
            count = retention.prune(kind=_kinds()[kind], org_id=found.id, before=before, dry_run=dry_run)
            total += count
            if count:
                self.stdout.write(f"{done} {kind} of {found.slug}: {count}.")
        self.stdout.write(f"{done}: {total}.")


def _kinds() -> dict[str, str]:
    """Each kind as it is spelt here."""
    return {kind.replace("_", "-"): kind for kind in retention.kinds()}


def _organizations(name: str | None) -> Iterable[Organization]:
    if name is None:
        return Organization.objects.order_by("slug")
    found = list(Organization.objects.filter(org_named(name)))
    if not found:
        raise CommandError(f"There is no organization {name!r}.")
    return found
