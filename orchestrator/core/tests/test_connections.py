"""What every session on PostgreSQL is told when it begins."""

import pytest
from django.conf import settings
from django.db import connection


@pytest.mark.django_db
@pytest.mark.skipif(settings.ON_SQLITE, reason="SQLite has no sessions")
@pytest.mark.parametrize(
    ("limit", "told"),
    [("statement_timeout", "5s"), ("lock_timeout", "5s"), ("idle_in_transaction_session_timeout", "20s")],
)
def test_a_session_ends_what_takes_too_long(limit: str, told: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SHOW {limit}")
        assert cursor.fetchone()[0] == told
