"""How many queries each page takes: as many as queries.json says, and no more when much more is stored.

After a change that is meant to change them: ``UPDATE_QUERIES=1 pytest tests/pages/test_queries.py``, and a look at what
has become different.
"""

import json
import os
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from django.core.cache import cache
from django.core.management import call_command
from django.db import connection, transaction
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext

from orchestrator.events import services as events
from orchestrator.identity import seeds, tokens
from orchestrator.identity.actors import ROLE_SCOPES, Actor
from orchestrator.identity.models import Membership
from orchestrator.identity.services import DEVELOPMENT_ORG
from tests.pages import demo
from tests.pages.inventory import NO_ROWS, PAGES
from tests.pages.page import Page

BASELINE = Path(__file__).with_name("queries.json")
# The first makes the org. Without the mark of the database none is made.
pytestmark = [pytest.mark.django_db, pytest.mark.timeout(600)]
MORE_EVENTS = 2_000  # and 200 runs, 20 tasks, some agents


class Counted(NamedTuple):
    """By name of page, and the pages whose row the demonstration lacks."""

    demo: dict[str, int]
    after_more: dict[str, int]
    missing: list[str]


@pytest.fixture(scope="module")
def counted(django_db_setup: None, django_db_blocker: Any) -> Iterator[Counted]:
    with django_db_blocker.unblock(), transaction.atomic():
        with override_settings(DEBUG=True):
            call_command("seed", demo=True, stdout=StringIO())
        owner = Membership.objects.select_related("user").get(org_id=DEVELOPMENT_ORG, role="owner")
        tokens.start_family(user=owner.user, org_id=owner.org_id)
        found = demo.found()
        pages = [page for page in PAGES if page.wants <= set(found)]
        before = {page.name: _queries(page, page.path(found), owner) for page in pages}
        actor = Actor("user", owner.user_id, owner.org_id, ROLE_SCOPES["owner"], "owner")
        list(seeds.fill(actor, events.head(owner.org_id) + MORE_EVENTS))
        after = {page.name: _queries(page, page.path(found), owner) for page in pages}
        yield Counted(before, after, sorted({page.name for page in PAGES} - set(before)))
        transaction.set_rollback(True)


def _queries(page: Page, path: str, owner: Membership) -> int:
    """Of the second call: the first one may learn what a process learns once."""
    client = Client()
    if page.signed_in:
        client.force_login(owner.user)
    cache.clear()
    assert client.get(path, headers={"Accept": "text/html"}).status_code == page.status, path
    with CaptureQueriesContext(connection) as captured:
        client.get(path, headers={"Accept": "text/html"})
    return len(captured)


def test_each_page_takes_as_many_as_are_written_down(counted: Counted) -> None:
    if os.environ.get("UPDATE_QUERIES"):
        BASELINE.write_text(json.dumps(counted.demo, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    assert counted.demo == json.loads(BASELINE.read_text(encoding="utf-8"))


def test_no_page_takes_more_when_more_is_stored(counted: Counted) -> None:
    grown = {name: (count, counted.after_more[name]) for name, count in counted.demo.items()}
    assert {name: both for name, both in grown.items() if both[1] > both[0]} == {}


def test_the_demonstration_has_a_row_for_every_page(counted: Counted) -> None:
    assert set(counted.missing) <= NO_ROWS
