"""/dashboard: what is going on, for whom."""

from typing import Any

import pytest

from orchestrator.core import clock
from orchestrator.events.models import Event
from orchestrator.events.services import head
from orchestrator.identity import services as identity
from orchestrator.web.tests.browser import faults, queries, sign_in
from runs.services import submission


def start(person: Any, number: int = 1, prompt: str = "Two days in Rome") -> None:
    for _ in range(number):
        submission.start_run(actor=person.actor, inputs={"prompt": prompt})


def test_an_empty_org_is_told_what_to_do(alice: Any) -> None:
    page = sign_in(alice).get("/dashboard").content.decode()
    assert "First steps" in page
    assert "curl http://testserver/api/v1/agents" in page
    assert "Start the run" in page
    assert faults(page) == []


def test_it_counts_runs_and_lists_the_latest(alice: Any) -> None:
    start(alice, 3)
    page = sign_in(alice).get("/dashboard")
    shown = {each["panel"].name: each["data"] for each in page.context["panels"]}
    assert ("queued", "3", "now") in shown["activity"]["tiles"]
    assert "First steps" not in page.content.decode()
    assert len(shown["latest-runs"]["runs"]) == 3
    assert "Run created" in page.content.decode()
    assert "by Alice" in page.content.decode()
    assert faults(page.content.decode()) == []


def test_viewers_see_no_form(alice: Any, carol: Any) -> None:
    page = sign_in(carol).get("/dashboard").content.decode()
    assert "Start the run" not in page
    assert "When a member of Org of alice starts one" in page


def test_only_staff_is_shown_the_admin(alice: Any) -> None:
    client = sign_in(alice)
    assert "/admin/" not in client.get("/dashboard").content.decode()
    alice.user.is_staff = True
    alice.user.save()
    assert "/admin/" in client.get("/dashboard").content.decode()


def test_nothing_of_another_org_shows(alice: Any, mallory: Any) -> None:
    start(alice, prompt="A secret journey to Rome")
    page = sign_in(mallory).get("/dashboard").content.decode()
    assert "secret journey" not in page
    assert str(alice.user.id) not in page


def test_actors_have_names_and_strangers_have_none(alice: Any, mallory: Any) -> None:
    key, _ = identity.create_api_key(actor=alice.actor, name="deployer", scopes=("read",))
    for seq, actor in enumerate((f"api_key:{key.id}", f"user:{mallory.user.id}", "system"), start=100):
        Event.objects.create(org=alice.org, seq=seq, event="looked", target="x", actor=actor)
    page = sign_in(alice).get("/dashboard").content.decode()
    assert "by API key deployer" in page
    assert "by the platform" in page
    assert f"by user …{str(mallory.user.id)[-6:]}" in page
    assert "Mallory" not in page


def test_markup_in_an_event_is_text(alice: Any) -> None:
    Event.objects.create(org=alice.org, seq=100, event="<script>1</script>", target="run:<b>", actor="<i>")
    answer = sign_in(alice).get("/dashboard")
    assert answer.status_code == 200
    assert "<script>1" not in answer.content.decode()
    assert faults(answer.content.decode()) == []


def test_the_live_fragment_is_made_of_the_same_panels(alice: Any) -> None:
    start(alice)
    client = sign_in(alice)
    page, fragment = (client.get(path).content.decode() for path in ("/dashboard", "/dashboard/live"))
    region = page[page.index('id="panel-latest-runs"') :]
    region = region[: region.index("</section>")]
    assert region in fragment
    assert "<form" not in fragment  # what somebody is typing must stay
    assert f'data-last="{head(alice.org.id)}"' in page
    assert f'data-last="{head(alice.org.id)}"' in fragment


@pytest.mark.parametrize("path", ["/dashboard", "/dashboard/live"])
def test_the_queries_do_not_grow_with_the_rows(alice: Any, path: str) -> None:
    start(alice, 2)
    client = sign_in(alice)
    few = queries(lambda: client.get(path))
    start(alice, 60)
    Event.objects.bulk_create(
        Event(
            org=alice.org,
            seq=1000 + number,
            event="e",
            target="t",
            actor=f"user:{alice.user.id}",
            created_at=clock.now(),
        )
        for number in range(200)
    )
    assert queries(lambda: client.get(path)) == few
    assert few <= 18


def test_what_the_reader_opened_stays_open(alice: Any) -> None:
    """The table's rows are replaced, and not what folds it."""
    start(alice)
    client = sign_in(alice)
    page, fragment = (client.get(path).content.decode() for path in ("/dashboard", "/dashboard/live"))
    assert '<section id="panel-activity"\n' in page
    assert 'id="activity-hours" data-region' in fragment
    assert "data-region" not in page[page.index('<details class="card"') : page.index('id="activity-hours"')]
