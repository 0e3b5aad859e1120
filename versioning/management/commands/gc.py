"""``manage.py gc``: removes versions that nothing reaches, and documents that nobody needs."""

from datetime import timedelta
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser

from versioning.services import upkeep

_DAYS: Final = 14  # as long as Git waits
_MAX_DAYS: Final = 36_500


class Command(BaseCommand):
    help = "Removes versions that no tag, no history and no run reaches, and documents that no version needs."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only say what would be removed")
        parser.add_argument(
            "--older-than-days", type=int, default=_DAYS, help="younger ones stay (default: %(default)s)"
        )

    def handle(self, *args: Any, dry_run: bool, older_than_days: int, **options: Any) -> None:
        """Raises CommandError for a number of days that makes no sense."""
        if not 0 <= older_than_days <= _MAX_DAYS:
            raise CommandError(f"--older-than-days is 0 to {_MAX_DAYS}.")
        found = upkeep.collect_garbage(older_than=timedelta(days=older_than_days), dry_run=dry_run)
        done = "Would remove" if dry_run else "Removed"
        self.stdout.write(f"{done} {found.artifacts} versions and {found.blobs} blobs ({found.bytes} bytes).")
