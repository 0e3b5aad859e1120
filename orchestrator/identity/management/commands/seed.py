"""``manage.py seed``: the development org and its owner, so that the first login works (seeds 000, 001 and 003); with
``--demo`` two days of life in it, with ``--load N`` an org of its own with N events, for trials.
"""

from contextlib import nullcontext
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.module_loading import autodiscover_modules

from orchestrator.core.errors import OrchestratorError
from orchestrator.identity import demonstration, loading, seeds, services
from orchestrator.identity.models import Membership

COMMON_PASSWORD = "password"  # noqa: S105  the default that the seeds write, known to everybody


class Command(BaseCommand):
    help = "Makes the organization 'default', its owner DEV_USER_EMAIL and its workflow, unless they are there."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--force", action="store_true", help="also where DEBUG is off")
        parser.add_argument("--demo", action="store_true", help="also people, agents, tasks and runs of two days")
        parser.add_argument("--load", type=int, metavar="N", help="also an org with N events and all that they tell of")
        parser.add_argument("--org", default="load", metavar="SLUG", help="the org that --load fills (load)")

    def handle(self, *args: Any, force: bool, demo: bool, load: int | None, org: str, **options: Any) -> None:
        """Raises CommandError outside DEBUG without --force, or with the password that everybody knows."""
        if not settings.DEBUG and not force:
            raise CommandError("This makes a development account. Set DEBUG=true, or say --force.")
        if not settings.DEBUG and settings.DEV_USER_PASSWORD == COMMON_PASSWORD:
            raise CommandError("Outside DEBUG, give the account a DEV_USER_PASSWORD of your own.")
        try:
            with demonstration.at_its_beginning() if demo else nullcontext():
                member, made = services.ensure_development_member(staff=settings.DEBUG)
                self._report(member, made)
                for line in seeds.plant(member.org_id):
                    self.stdout.write(line)
            if demo or load is not None:
                autodiscover_modules("seeds")
            if demo:
                self._demonstrate(member)
            if load is not None:
                self._load(member, org, load)
        except OrchestratorError as error:
            raise CommandError(error.message) from error

    def _report(self, member: Membership, made: bool) -> None:
        what = "Made" if made else "There already:"
        self.stdout.write(
            f"{what} organization {member.org.slug} ({member.org_id}), {member.role} {member.user.email}."
        )
        if not member.user.check_password(settings.DEV_USER_PASSWORD):
            again = f"manage.py changepassword {member.user.email}"
            self.stdout.write(f"Their password is not DEV_USER_PASSWORD and stays as it is; to change it: {again}")

    def _demonstrate(self, member: Membership) -> None:
        if demonstration.is_there():
            self.stdout.write("There already: the demonstration. Nothing was added.")
            return
        demonstration.plant(member)
        self.stdout.write("Made the demonstration: two days of agents, tasks and runs, and the organization demo-lab.")

    def _load(self, member: Membership, slug: str, events: int) -> None:
        for line in loading.fill(member, slug, events):
            self.stdout.write(line)
            self.stdout.flush()
