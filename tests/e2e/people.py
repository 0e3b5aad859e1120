"""Who the journeys are about. Olivia owns the org of the server, and another one; Ben is a member."""

import subprocess
import sys
from typing import Final

from playwright.sync_api import expect

from tests.chromium import Visitor
from tests.e2e.keys import Keys
from tests.process.server import ROOT, environment

OLIVIA: Final = "olivia@example.com"
BEN: Final = "ben@example.com"
PASSWORD: Final = "a password for the browser"
OTHER_ORG: Final = "Second Office"
# By a process of its own: Django's ORM refuses to work where Playwright's event loop runs.
_MAKE: Final = """
import sys, django; django.setup()
from orchestrator.identity import services
from orchestrator.identity.models import Membership, Organization, User
olivia, ben, password, other = sys.argv[1:]
default = Organization.objects.get(slug="default")
for email, name, role in ((olivia, "Olivia", "owner"), (ben, "Ben", "member")):
    user = User.objects.create_user(email, password, name=name)
    Membership.objects.create(org=default, user=user, role=role)
services.create_organization(slug="second", name=other, owner=User.objects.get(email=olivia))
"""


def move_in(database_url: str) -> None:
    """Make the people in a fresh database."""
    command = [sys.executable, "-c", _MAKE, OLIVIA, BEN, PASSWORD, OTHER_ORG]
    subprocess.run(command, env=environment(database_url), cwd=ROOT, check=True)


def sign_in(visitor: Visitor, email: str) -> None:
    """By the keyboard, from a page that they wanted to see to that page."""
    page = visitor.open("/dashboard/runs")
    keys = Keys(page)
    keys.write(page.get_by_label("E-mail address"), email)
    keys.write(page.get_by_label("Password"), PASSWORD)
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{visitor.home}/dashboard/runs")
    page.close()


def problems(visitor: Visitor, *statuses: int) -> list[str]:
    """What went wrong in front of them, without the browser's own line about pages that were to have these statuses."""
    known = tuple(f"Failed to load resource: the server responded with a status of {status} " for status in statuses)
    return [problem for problem in visitor.problems if not (known and problem.startswith(known))]
