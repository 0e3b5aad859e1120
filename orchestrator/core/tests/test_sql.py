"""Plain SQL stores and reads what Django's fields would."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from django.db import connection

from orchestrator.core import sql
from orchestrator.core.ids import uuid7
from orchestrator.identity.models import Organization

pytestmark = pytest.mark.django_db
MOMENTS = (
    datetime(2026, 1, 2, 3, 4, 5, 6, UTC),
    datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=-7, minutes=-30))),
)


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_time_is_stored_as_the_field_stores_it(moment: datetime) -> None:
    org = Organization.objects.create(name="One", slug="one")
    sql.run("UPDATE identity_organization SET created_at = %s WHERE id = %s", [moment, org.id])
    assert Organization.objects.get(created_at=moment).created_at == moment


def test_rows_have_the_values_of_the_fields() -> None:
    made = [Organization.objects.create(name=name, slug=name) for name in ("a", "b")]
    statement = "SELECT id, created_at FROM identity_organization WHERE slug IN (%s, %s) ORDER BY slug"
    found = sql.rows(Organization, ("id", "created_at"), statement, ["a", "b"])
    assert found == [[org.id, org.created_at] for org in made]
    assert sql.rows(Organization, ("id", "created_at"), statement, ["x", "y"]) == []


@pytest.mark.parametrize("_", range(2), ids=["anew", "remembered"])
def test_a_percent_sign_in_a_statement_stays_one(_: int) -> None:
    assert sql.row("SELECT 'a%%s', CAST(%s AS TEXT)", ["b"]) == ("a%s", "b")
    with connection.cursor() as cursor:
        cursor.execute("SELECT 'a%s'")
        assert cursor.fetchone() == ("a%s",)
        cursor.execute("SELECT CAST(%(name)s AS TEXT)", {"name": "b"})
        assert cursor.fetchone() == ("b",)


def test_as_many_rows_as_are_given_are_inserted() -> None:
    org, other = uuid7(), uuid7()
    for count in (1, 2, 1):
        Organization.objects.all().delete()
        rows = [(identity, str(identity), str(identity), MOMENTS[0]) for identity in (org, other)[:count]]
        sql.insert("INSERT INTO identity_organization (id, name, slug, created_at) VALUES {rows}", rows)
        assert Organization.objects.count() == count
