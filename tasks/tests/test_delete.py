"""DELETE: gone with its labels and dependencies, unless others wait for it."""

from conftest import Person
from orchestrator.identity.models import Organization
from tasks.models import Task, TaskDependency, TaskLabel
from tasks.tests.calls import STATE, add, of, refused, send, titles


def test_deletes_with_labels_and_dependencies(alice: Person) -> None:
    first = add(alice, "First")
    task = add(alice, labels=["a"], depends_on=[first["id"]])
    answer = send(alice.client, "DELETE", of(task), if_match=task["etag"])
    assert (answer.status_code, answer.content) == (204, b"")
    refused(alice.client.get(of(task)), 404, "not_found")
    assert titles(alice.client.get(STATE)) == ["First"]
    assert (TaskLabel.objects.count(), TaskDependency.objects.count()) == (0, 0)


def test_a_task_that_others_wait_for_stays(alice: Person) -> None:
    task = add(alice)
    waiting = [add(alice, depends_on=[task["id"]]) for _ in range(2)]
    error = refused(send(alice.client, "DELETE", of(task), if_match="*"), 409, "conflict")
    assert error["details"] == {"dependents": 2}
    assert "2" in error["message"]
    assert alice.client.get(of(task))["ETag"] == task["etag"]
    for other in waiting:
        assert send(alice.client, "DELETE", of(other), if_match="*").status_code == 204
    assert send(alice.client, "DELETE", of(task), if_match=task["etag"]).status_code == 204


def test_a_second_delete_is_404(alice: Person) -> None:
    task = add(alice)
    assert send(alice.client, "DELETE", of(task), if_match="*").status_code == 204
    refused(send(alice.client, "DELETE", of(task), if_match="*"), 404, "not_found")


def test_an_org_goes_with_all_its_tasks(alice: Person, mallory: Person) -> None:
    add(mallory)
    add(alice, labels=["a"], depends_on=[add(alice)["id"]])
    Organization.objects.filter(pk=alice.org.pk).delete()
    assert Task.objects.values_list("org_id", flat=True).get() == mallory.org.pk
