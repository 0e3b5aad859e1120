"""How often the database is asked: never once a row, and a 304 not for the rows at all."""

import itertools

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from conftest import Person
from orchestrator.api import lists
from tasks import services
from tasks.models import Task, TaskDependency, TaskLabel
from tasks.tests.calls import STATE, add, of, send


def fill(person: Person, count: int) -> None:
    """Tasks with two labels each, every one waiting for the one before."""
    org = person.org
    tasks = Task.objects.bulk_create(Task(org=org, title=f"T{n}", created_by="test") for n in range(count))
    TaskLabel.objects.bulk_create(TaskLabel(org=org, task=task, name=name) for task in tasks for name in "ab")
    TaskDependency.objects.bulk_create(
        TaskDependency(org=org, task=later, depends_on=earlier) for earlier, later in itertools.pairwise(tasks)
    )


def queries_of(person: Person, path: str, **headers: str) -> list[str]:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert person.client.get(path, headers=headers).status_code in (200, 304)
    return [query["sql"] for query in captured.captured_queries]


@pytest.mark.parametrize("query", ["limit=1000", "limit=1000&label=a&label=b", "limit=1000&status=todo&q=t"])
def test_two_hundred_rows_cost_as_many_queries_as_two(alice: Person, query: str) -> None:
    counts = []
    for more in (2, 198):
        fill(alice, more)
        lists.forget()
        counts.append(len(queries_of(alice, f"{STATE}?{query}")))
        assert len(alice.client.get(f"{STATE}?{query}").json()["items"]) == Task.objects.count()
    assert counts[0] == counts[1] <= 5  # who asks, the revision, tasks, labels, dependencies


@pytest.mark.parametrize("known", [False, True], ids=["200", "304"])
def test_an_unchanged_list_is_not_read_again(alice: Person, known: bool) -> None:
    fill(alice, 3)
    etag = alice.client.get(STATE)["ETag"]
    asked = queries_of(alice, STATE, **({"If-None-Match": etag} if known else {}))
    assert len(asked) == 2
    assert not [sql for sql in asked if "tasks_task" in sql]


def test_one_task_costs_the_same_with_any_number_of_labels(alice: Person) -> None:
    bare = add(alice)
    rich = add(alice, labels=[str(n) for n in range(50)], depends_on=[add(alice)["id"] for _ in range(20)])
    assert len(queries_of(alice, of(bare))) == len(queries_of(alice, of(rich))) == 4


def test_a_deep_graph_is_walked_in_one_query(alice: Person) -> None:
    counts = []
    for depth in (2, 60):
        fill(alice, depth)
        last = Task.objects.order_by("id").last()
        assert last is not None
        task = services.create_task(actor=alice.actor, title="T")
        with CaptureQueriesContext(connection) as captured:
            services.update_task(actor=alice.actor, task_id=task.pk, version=None, depends_on=[last.pk])
        counts.append(len(captured))
    assert counts[0] == counts[1]


def test_an_update_that_leaves_labels_alone_does_not_write_them(alice: Person) -> None:
    task = add(alice, labels=["a"])
    with CaptureQueriesContext(connection) as captured:
        send(alice.client, "PATCH", of(task), {"labels": ["a"], "priority": 1}, if_match="*")
    written = [query["sql"] for query in captured.captured_queries if "tasks_tasklabel" in query["sql"]]
    assert all(sql.startswith("SELECT") for sql in written), written
