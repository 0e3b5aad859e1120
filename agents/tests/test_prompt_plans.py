"""What is looked for all the time is found by an index as small as what agents have in hand."""

import uuid
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from agents.services import prompt_leases
from conftest import Person

pytestmark = pytest.mark.skipif(not settings.ON_SQLITE, reason="PostgreSQL plans by what is in the table")


def plans(call: Any) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        call()
    found = []
    for query in captured.captured_queries:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN QUERY PLAN {query['sql']}")
            found.append(" ".join(row[3] for row in cursor.fetchall()))
    return found


def test_the_sweep_and_the_lists_revision_read_the_leased_alone(alice: Person) -> None:
    late, orphaned = plans(prompt_leases.sweep)
    assert "agents_prompt USING INDEX prompt_leased" in late
    assert "agents_prompt USING INDEX prompt_leased" in orphaned
    renewed, _ = plans(lambda: prompt_leases.revision(uuid.uuid4()))
    assert "prompt_renewed" in renewed
