"""Addresses that nobody was given: every page of the dashboard answers odd parameters and odd places in order.

No browser: the pages are asked through the test client, as an owner of the demo org.
"""

import re
from collections.abc import Iterator
from io import StringIO
from typing import Any, ClassVar, NamedTuple
from unittest import mock
from urllib.parse import quote

import pytest
from django.core.cache import cache
from django.core.management import call_command
from django.db import transaction
from django.http import QueryDict
from django.test import Client, override_settings

from orchestrator.identity.models import Membership
from orchestrator.identity.services import DEVELOPMENT_ORG
from tests.contract.routes import Route, every_route
from tests.pages import demo

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(600)]

ODD = {
    "text with a NUL": "run\x00ning",
    "minus": "-1",
    "more than 63 bits": "9223372036854775808",
    "more digits than int() reads": "9" * 5000,
    "other digits": "١٢٣",
    "superscript": "²",
    "no number": "1e309",
    "not a date": "2026-13-45T99:99:99",
    "before all dates": "0001-01-01T00:00:00+23:59",
    "after all dates": "9999-12-31T23:59:59-23:59",
    "last": "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "pattern": "%_\\[(*+?",
    "markup": "\"'><script>alert(1)</script>",
    "line ends": "a\r\nSet-Cookie: b=c",
    "emoji": "🙈\u202e\ufeff",
}
RAW = {"no UTF-8": "%ff%fe", "surrogate": "%ed%a0%80", "half an escape": "%"}
PARTS = ("%00", "%ff", "9" * 400, "x" * 1000, "a%2Fb", "%F0%9F%99%88")


class Asked(NamedTuple):
    """A browser of the demo org's owner; every GET route with its path, and the parameters that its page reads."""

    browser: Client
    paths: dict[Route, str]
    reads: dict[Route, set[str]]


@pytest.fixture(scope="module")
def asked(django_db_setup: None, django_db_blocker: Any) -> Iterator[Asked]:
    with django_db_blocker.unblock(), transaction.atomic():
        with override_settings(DEBUG=True):
            call_command("seed", demo=True, stdout=StringIO())
        owner = Membership.objects.select_related("user").get(org_id=DEVELOPMENT_ORG, role="owner")
        browser = Client(raise_request_exception=False)
        browser.force_login(owner.user)
        found = demo.found()
        paths = {route: _filled(route, found) for route in PAGES}
        yield Asked(browser, paths, {route: _read_by(browser, path) for route, path in paths.items()})
        transaction.set_rollback(True)


# Fragments read what their pages read.
PAGES = [
    route
    for route in every_route()
    if route.template.startswith("/dashboard") and "get" in route.actions and not route.name.endswith("-live")
]


def _filled(route: Route, found: dict[str, str]) -> str:
    """The path with what is there: a run for ``{run_id}``, and so on."""
    there = {
        "run_id": found["run_trip"], "node": found["node_done"], "form": "ndjson", "tag": found["workflow"],
        "artifact_id": found["artifact"], "task_id": found["task_todo"], "agent_id": found["agent"],
        "runtime_agent_id": found["runtime_agent_executing"], "job_id": found["job_scheduled"],
        "member_id": found["member"], "key_id": found["api_key"], "organization_id": str(DEVELOPMENT_ORG),
    }  # fmt: skip
    return re.sub(r"{(\w+)\+?}", lambda match: there[match[1]], route.template)


class _Listening(QueryDict):
    """Remembers what it was asked for."""

    names: ClassVar[set[str]] = set()

    def getlist(self, key: str, default: Any = None) -> Any:
        self.names.add(key)
        return super().getlist(key, default)

    def __getitem__(self, key: str) -> Any:
        self.names.add(key)
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        self.names.add(str(key))
        return super().__contains__(key)


def _read_by(browser: Client, path: str) -> set[str]:
    """The parameters that the page at ``path`` reads; of some only a first one that is there leads to a second."""
    _Listening.names = set()
    with mock.patch("django.core.handlers.wsgi.QueryDict", _Listening):
        for query in ("", "?view=table", "?act=cancel"):
            assert browser.get(path + query).status_code < 500, path + query
    return {name for name in _Listening.names if name.isidentifier()}


def _fault(browser: Client, address: str) -> str:
    """What is wrong with the answer, or nothing."""
    cache.clear()  # of the rate limit
    answer = browser.get(address)
    return f"{answer.status_code} {address[:300]}" if answer.status_code >= 500 else ""


@pytest.mark.parametrize("odd", [*ODD, *RAW])
def test_odd_parameters_are_answered(asked: Asked, odd: str) -> None:
    """One at a time: one that is refused would hide the others."""
    value = quote(ODD[odd], safe="") if odd in ODD else RAW[odd]
    addresses = [f"{asked.paths[route]}?{name}={value}" for route in PAGES for name in sorted(asked.reads[route])]
    assert [fault for address in addresses if (fault := _fault(asked.browser, address))] == []


@pytest.mark.parametrize("part", PARTS)
def test_odd_places_are_answered(asked: Asked, part: str) -> None:
    faults = []
    for route in PAGES:
        for name in route.parameters:
            there = {**dict.fromkeys(route.parameters), name: part}
            faults.append(
                _fault(asked.browser, re.sub(r"{(\w+)\+?}", lambda m, t=there: t[m[1]] or "-", route.template))
            )
    assert [fault for fault in faults if fault] == []


def test_the_filters_of_pages_are_among_what_is_asked(asked: Asked) -> None:
    """Otherwise this file asks for nothing, and finds nothing."""
    read = set().union(*asked.reads.values())
    assert {"before", "after", "q", "status", "at", "from", "run", "priority", "created_after", "level"} <= read
