"""``manage.py seed``: the development org and its owner, so that the first login works (seeds 000, 001 and 003)."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from orchestrator.core.errors import OrchestratorError
from orchestrator.identity import seeds, services
from orchestrator.identity.models import Membership

COMMON_PASSWORD = "password"  # noqa: S105  the default that the seeds write, known to everybody


class Command(BaseCommand):
    help = "Makes the organization 'default', its owner DEV_USER_EMAIL and its workflow, unless they are there."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--force", action="store_true", help="also where DEBUG is off")

    def handle(self, *args: Any, force: bool, **options: Any) -> None:
        """Raises CommandError outside DEBUG without --force, or with the password that everybody knows."""
        if not settings.DEBUG and not force:
            raise CommandError("This makes a development account. Set DEBUG=true, or say --force.")
        if not settings.DEBUG and settings.DEV_USER_PASSWORD == COMMON_PASSWORD:
            raise CommandError("Outside DEBUG, give the account a DEV_USER_PASSWORD of your own.")
        try:
            member, made = services.ensure_development_member(staff=settings.DEBUG)
        except OrchestratorError as error:
            raise CommandError(error.message) from error
        self._report(member, made)
        for line in seeds.plant(member.org_id):
            self.stdout.write(line)

    def _report(self, member: Membership, made: bool) -> None:
        what = "Made" if made else "There already:"
        self.stdout.write(
            f"{what} organization {member.org.slug} ({member.org_id}), {member.role} {member.user.email}."
        )
        if not member.user.check_password(settings.DEV_USER_PASSWORD):
            again = f"manage.py changepassword {member.user.email}"
            self.stdout.write(f"Their password is not DEV_USER_PASSWORD and stays as it is; to change it: {again}")
