"""Lists of large tables: bounded, by date, by organization, by id; and what an error looks like."""

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from conftest import Person, make_person
from orchestrator.api.admin import changelist, moments
from orchestrator.core.ids import first_id
from orchestrator.events.models import Event
from orchestrator.identity.models import Organization, User

LIST = "/admin/events/event/"


def event(person: Person, name: str, day: str = "2026-03-04") -> Event:
    made = first_id(datetime.fromisoformat(f"{day}T12:00:00Z")).int | uuid.uuid4().int >> 60
    seq = Event.objects.filter(org=person.org).count() + 1000
    return Event.objects.create(id=uuid.UUID(int=made), org=person.org, seq=seq, event=name, target="t", actor="a")


def page(client: Client, query: str = "") -> str:
    answer = client.get(f"{LIST}{query}")
    assert answer.status_code == 200, answer.status_code
    return answer.content.decode()


def test_an_id_has_its_moment() -> None:
    noon = datetime(2026, 3, 4, 12, tzinfo=UTC)
    assert moments.moment_of(first_id(noon)) == noon


def test_dates_lead_from_years_to_days(alice: Person, desk: Client) -> None:
    event(alice, "in_march", "2026-03-04")
    event(alice, "in_april", "2026-04-05")
    event(alice, "last_year", "2025-04-05")
    assert "created_at__year=2025" in page(desk)
    year = page(desk, "?created_at__year=2026")
    assert "in_march" in year
    assert "last_year" not in year
    assert "created_at__month=3" in year
    march = page(desk, "?created_at__year=2026&created_at__month=3")
    assert "in_march" in march
    assert "in_april" not in march
    day = page(desk, "?created_at__year=2026&created_at__month=3&created_at__day=5")
    assert "in_march" not in day


@pytest.mark.parametrize("query", ["?created_at__year=x", "?created_at__year=2026&created_at__month=13", "?p=99999"])
def test_a_wrong_date_or_page_is_said(desk: Client, query: str) -> None:
    assert desk.get(f"{LIST}{query}").status_code in (200, 302)


def test_the_organization_by_slug_or_id(alice: Person, mallory: Person, desk: Client) -> None:
    event(alice, "of_alice")
    event(mallory, "of_mallory")
    for name in (alice.org.slug, str(alice.org.pk)):
        shown = page(desk, f"?org={name}")
        assert "of_alice" in shown
        assert "of_mallory" not in shown
    assert "of_alice" not in page(desk, "?org=nobody")


def test_few_organizations_are_offered_of_many(desk: Client) -> None:
    Organization.objects.bulk_create(Organization(slug=f"many-{n:02}", name=f"Many {n:02}") for n in range(30))
    assert page(desk).count(">Many ") < 12
    assert ">Many 29<" in page(desk, "?org=many-29")


def test_words_are_looked_for_in_the_newest(alice: Person, desk: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    # Ids never go back: where an earlier test has set the clock on, all that is made later lies in that future.
    ahead = Event.objects.filter(pk__gt=first_id(datetime(2039, 12, 31, tzinfo=UTC))).count()
    monkeypatch.setattr(changelist, "WINDOW", 2 + ahead)
    for name in ("needle_old", "needle_new", "other"):
        event(alice, name, "2040-01-01" if name != "needle_old" else "2039-01-01")
    shown = page(desk, "?q=needle")
    assert "needle_new" in shown
    assert "needle_old" not in shown
    assert "Looked for in the newest" in shown
    assert "needle_old" in page(desk, "?q=needle&created_at__year=2039")


def test_an_id_finds_its_row_whatever_its_age(alice: Person, desk: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changelist, "WINDOW", 1)
    old = event(alice, "long_ago", "2021-01-01")
    event(alice, "newer")
    for text in (str(old.pk), str(old.pk)[:13], old.pk.hex):
        shown = page(desk, f"?q={text}")
        assert "long_ago" in shown
        assert ">newer<" not in shown


def test_counting_ends(alice: Person, desk: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changelist, "MOST", 2)
    for number in range(4):
        event(alice, f"number_{number}")
    assert "More than" in page(desk)


def test_a_column_cannot_be_sorted_by(alice: Person, desk: Client) -> None:
    first, last = event(alice, "aaa", "2040-01-01"), event(alice, "zzz", "2040-01-02")
    shown = page(desk, "?o=1")
    assert shown.index(str(last.pk)) < shown.index(str(first.pk))


@pytest.mark.parametrize(("path", "status"), [("nothing/", 404), ("events/event/export/xml/", 404)])
def test_errors_are_pages_with_the_request_id(desk: Client, path: str, status: int) -> None:
    answer = desk.get(f"/admin/{path}", headers={"X-Request-ID": "quote-me"})
    assert answer.status_code == status
    assert "text/html" in answer["Content-Type"]
    assert answer.content.decode().count("quote-me") == 2


def test_a_failure_is_a_page_too(desk: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(moments, "choices", fail)
    answer = desk.get(LIST)
    assert answer.status_code == 500
    assert "secret detail" not in answer.content.decode()


def test_signing_in_is_limited(db: None, settings: Any, still: None) -> None:
    settings.RATE_LIMIT_LOGIN = "2/m"
    form = {"username": "root@example.com", "password": "wrong"}
    answers = [Client().post("/admin/login/", form) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert "Retry-After" in answers[-1]


def test_only_staff_gets_in(alice: Person) -> None:
    client = Client()
    client.force_login(alice.user)
    assert client.get(LIST).status_code == 302
    assert client.get(f"{LIST}export/csv/").status_code == 302


def test_staff_without_the_permission_exports_nothing(alice: Person) -> None:
    staff = User.objects.create_user("temp@example.com", is_staff=True)
    client = Client()
    client.force_login(staff)
    assert client.get(f"{LIST}export/csv/").status_code == 403


def test_the_log_of_operators_is_shown(desk: Client, operator: User) -> None:
    person = make_person("dave")
    desk.post(f"/admin/identity/organization/{person.org.pk}/change/", {"name": "Renamed", "slug": "renamed"})
    assert "Renamed" in desk.get("/admin/admin/logentry/").content.decode()
