"""Appending to the log, and asking how far it has come."""

import uuid
from typing import Any

from django.db import connection, transaction

from orchestrator.core import context, nudges, sql
from orchestrator.events.models import Event, EventHead
from orchestrator.identity.actors import Actor

# One statement on both databases: it makes the head row when it is missing and locks it until the transaction ends,
# so that numbers are given in the order of commits and a reader at "after 10" can never miss a late 9.
_NEXT_SEQ = """
    INSERT INTO events_eventhead (org_id, seq) VALUES (%s, 1)
    ON CONFLICT (org_id) DO UPDATE SET seq = events_eventhead.seq + 1 RETURNING seq
"""
_INSERT = """
    INSERT INTO events_event (id, org_id, seq, event, kind, target, details, actor, request_id, created_at)
    VALUES {rows}
"""
_LOCK_HEAD = "SELECT seq FROM events_eventhead WHERE org_id = %s FOR UPDATE"
_LAST_OF_KIND = "SELECT seq FROM events_event WHERE org_id = %s AND kind = %s ORDER BY seq DESC LIMIT 1"


def record(*, actor: Actor, event: str, kind: str = "", target: str, details: dict[str, Any] | None = None) -> Event:
    """Append one event to the log of the actor's org, in the caller's transaction.

    Call it last: the head row stays locked until the commit. Raises TransactionManagementError outside a transaction,
    because an event must stand or fall with the change that it reports.
    """
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("record() needs the transaction of the change that it reports.")
    row = Event(
        org_id=actor.org_id, seq=_next_seq(actor.org_id), event=event, kind=kind, target=target, details=details or {},
        actor=str(actor), request_id=context.request_id.get(),
    )  # fmt: skip
    sql.insert(_INSERT, [(
        row.id, row.org_id, row.seq, row.event, row.kind, row.target, row.details, row.actor, row.request_id,
        row.created_at,
    )])  # fmt: skip
    transaction.on_commit(lambda: nudges.send(topic(actor.org_id)))
    return row


def append(*, actor: Actor, event: str, target: str, details: dict[str, Any]) -> Event:
    """A caller's own event. Raises PermissionDenied without the scope ``write``."""
    actor.require("write")
    with transaction.atomic():
        return record(actor=actor, event=event, target=target, details=details)


def lock_head(org_id: uuid.UUID) -> None:
    """Take the lock that ``record`` takes, for what else may be done by one at a time in an org. On SQLite whoever
    writes has it.
    """
    if connection.features.has_select_for_update:
        sql.row(_LOCK_HEAD, [org_id])


def revision(org_id: uuid.UUID, kind: str) -> int:
    """The number of the last event that changed the org's list of ``kind``; 0 when none has. One index look-up."""
    found = sql.row(_LAST_OF_KIND, [org_id, kind])
    return int(found[0]) if found else 0


def topic(org_id: uuid.UUID) -> str:
    """The name under which readers of the org's log are woken."""
    return f"events.{org_id}"


def _next_seq(org_id: uuid.UUID) -> int:
    found = sql.row(_NEXT_SEQ, [org_id])
    assert found is not None, "the statement returns a row"
    return int(found[0])


def head(org_id: uuid.UUID) -> int:
    """The number of the last event of the org's log; 0 when it is empty."""
    return EventHead.objects.filter(org_id=org_id).values_list("seq", flat=True).first() or 0
