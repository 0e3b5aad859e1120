import pytest

from conftest import Person
from orchestrator.web.counting import Count, capped, capped_by
from orchestrator.web.tests.browser import queries
from tasks.models import Task
from tasks.services import create_task, transition_task


@pytest.fixture
def _five(alice: Person) -> None:
    for number in range(5):
        task = create_task(actor=alice.actor, title=str(number))
        if number < 2:
            transition_task(actor=alice.actor, task_id=task.id, to="blocked")


@pytest.mark.usefixtures("_five")
@pytest.mark.parametrize(("most", "told"), [(4, Count(4, more=True)), (5, Count(5)), (6, Count(5))])
def test_it_counts_up_to_the_most(most: int, told: Count) -> None:
    assert capped(Task.objects.all(), most) == told


@pytest.mark.usefixtures("_five")
def test_it_counts_what_is_filtered(alice: Person, mallory: Person) -> None:
    assert capped(Task.objects.for_org(alice.org.id).filter(status="blocked").order_by("-pk")) == Count(2)
    assert not capped(Task.objects.for_org(mallory.org.id))


@pytest.mark.usefixtures("_five")
def test_each_value_is_counted_for_itself_in_their_order(alice: Person) -> None:
    rows = Task.objects.for_org(alice.org.id)
    found = capped_by(rows, "status", ["todo", "blocked", "done"], 2)
    assert list(found.items()) == [("todo", Count(2, more=True)), ("blocked", Count(2)), ("done", Count(0))]


@pytest.mark.usefixtures("_five")
def test_all_values_take_one_query(alice: Person) -> None:
    assert queries(lambda: capped_by(Task.objects.for_org(alice.org.id), "status", ["todo", "done", "%s"])) == 1


def test_it_says_that_there_are_more() -> None:
    assert [str(Count(1000, more=True)), str(Count(1000)), str(Count(7))] == ["1,000+", "1,000", "7"]
