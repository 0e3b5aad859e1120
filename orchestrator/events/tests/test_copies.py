"""A story that is told again: the same rows and events, with other ids, at another time."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction

from conftest import Person
from orchestrator.events import services
from orchestrator.events.copies import Pattern, empty, events_of, write, write_events
from orchestrator.events.models import Event, EventHead
from tasks.models import Task, TaskLabel
from tasks.services import create_task, transition_task

AT = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def pattern(alice: Person) -> Pattern:
    task = create_task(actor=alice.actor, title="Once", labels=["a"])
    transition_task(actor=alice.actor, task_id=task.id, to="cancelled")
    tasks = Task.objects.filter(pk=task.pk)
    return Pattern(events_of(alice.org.id, tasks), (tasks, TaskLabel.objects.filter(task=task)), ("Once",))


@transaction.atomic
def tell(alice: Person, pattern: Pattern, seconds: float = 60, **changes: str) -> Task:
    rows, head = empty(), services.head(alice.org.id)
    told = pattern.copy(rows, AT, seconds, random.Random(1), changes)
    write(rows)
    EventHead.objects.filter(org=alice.org).update(seq=write_events(told, head))
    return Task.objects.exclude(title="Once").get() if changes else Task.objects.earliest("created_at")


def test_rows_have_new_ids_and_refer_to_each_other(alice: Person, pattern: Pattern) -> None:
    copy = tell(alice, pattern)
    assert Task.objects.count() == 2
    assert list(copy.labels.values_list("name", flat=True)) == ["a"]
    assert (copy.status, copy.version) == ("cancelled", 2)


def test_it_begins_when_it_is_told_to_and_takes_as_long(alice: Person, pattern: Pattern) -> None:
    copy = tell(alice, pattern, seconds=60)
    times = Event.objects.filter(target=f"task:{copy.id}").order_by("seq").values_list("created_at", flat=True)
    assert copy.created_at == AT
    assert abs(times[1] - AT - timedelta(seconds=60)) < timedelta(milliseconds=1)


def test_its_events_go_on_behind_the_head(alice: Person, pattern: Pattern) -> None:
    head = services.head(alice.org.id)
    copy = tell(alice, pattern)
    told = Event.objects.filter(target=f"task:{copy.id}").order_by("seq").values_list("seq", "event")
    assert list(told) == [(head + 1, "task_created"), (head + 2, "task_transitioned")]
    assert services.append(actor=alice.actor, event="hello", target="me:1", details={}).seq == head + 3


def test_what_is_changing_is_changed_also_where_events_say_it(alice: Person, pattern: Pattern) -> None:
    copy = tell(alice, pattern, Once="Twice")
    assert copy.title == "Twice"
    assert Event.objects.get(target=f"task:{copy.id}", event="task_created").details["title"] == "Twice"
