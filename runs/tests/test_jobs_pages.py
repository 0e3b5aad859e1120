"""/dashboard/jobs: list, make, look at, change, pause, resume, trigger, cancel; for whom and at what cost."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from orchestrator.web.paging import PAGE_SIZE
from orchestrator.web.tests.browser import faults, queries, sign_in
from runs.jobs import services
from runs.jobs.models import Job
from runs.tests.jobs import end, fresh, lose_the_workflow, make, the_run
from runs.tests.steps import PARIS

JOBS = "/dashboard/jobs"
FORM = {
    "name": "nightly", "workflow": "agent-graph", "ref": "", "inputs": json.dumps({"prompt": PARIS}), "when": "often",
    "cron": "0 7 * * 1-5", "run_at": "", "timezone": "Europe/Berlin", "overlap": "skip", "misfire": "fire_once",
    "misfire_grace_seconds": "60", "priority": "0",
}  # fmt: skip


def page_at(client: Client, path: str) -> str:
    answer = client.get(path)
    html: str = answer.content.decode()
    assert answer.status_code == 200, html
    assert faults(html) == []
    return html


# --- the list ---------------------------------------------------------------------------------------------------------


def test_no_job_suggests_the_first_one(alice: Any, carol: Any) -> None:
    assert "Make the first one" in page_at(sign_in(alice), JOBS)
    assert "Make" not in page_at(sign_in(carol), JOBS).partition("<main")[2]


def test_the_next_time_is_in_utc_for_the_script_to_rewrite(alice: Any, noon: Any) -> None:
    make(alice, name="nightly", cron="0 7 * * *", timezone="Europe/Berlin")
    page = page_at(sign_in(alice), JOBS)
    assert '<time datetime="2030-01-02T06:00:00+00:00" data-here>Wed 2030-01-02 06:00 UTC</time>' in page
    assert "js/zones.js" in page


@pytest.mark.parametrize(
    ("query", "found"),
    [("", {"first", "second"}), ("?status=paused", {"second"}), ("?q=SEC", {"second"}), ("?workflow=other", set())],
)
def test_filters_are_in_the_address(alice: Any, query: str, found: set[str]) -> None:
    make(alice, name="first")
    services.pause_job(actor=alice.actor, job_id=make(alice, name="second").pk)
    rows = sign_in(alice).get(JOBS + query).context["page"].rows
    assert {job.name for job in rows} == found


def test_a_state_that_there_is_not_is_refused(alice: Any) -> None:
    assert sign_in(alice).get(f"{JOBS}?status=asleep").status_code == 422


def test_pages_keep_the_filters(alice: Any) -> None:
    job = make(alice)
    Job.objects.bulk_create(
        Job(org=alice.org, name="job", workflow="agent-graph", cron="@daily", created_by="system",
            next_fire_at=job.next_fire_at)
        for _ in range(PAGE_SIZE)
    )  # fmt: skip
    client = sign_in(alice)
    older = client.get(f"{JOBS}?q=job").context["page"].older
    assert f"?q=job&amp;before={older}" in page_at(client, f"{JOBS}?q=job")
    assert [row.pk for row in client.get(f"{JOBS}?q=job&before={older}").context["page"].rows] == [job.pk]


def test_the_queries_do_not_grow_with_the_rows(alice: Any) -> None:
    job = make(alice)
    services.trigger_job(actor=alice.actor, job_id=job.pk)
    client = sign_in(alice)
    few = [queries(lambda path=path: client.get(path)) for path in (JOBS, f"{JOBS}/{job.pk}")]
    for _ in range(5):
        make(alice)
        services.trigger_job(actor=alice.actor, job_id=job.pk)
    assert [queries(lambda path=path: client.get(path)) for path in (JOBS, f"{JOBS}/{job.pk}")] == few
    assert max(few) <= 9


# --- one job ----------------------------------------------------------------------------------------------------------


def test_the_next_five_times_are_in_the_jobs_zone_and_in_utc(alice: Any, noon: Any) -> None:
    job = make(alice, cron="0 7 * * *", timezone="Europe/Berlin")
    page = page_at(sign_in(alice), f"{JOBS}/{job.pk}")
    assert page.count('+00:00" data-here>') == 5
    assert "Wed 2030-01-02 07:00</time>" in page
    assert "Wed 2030-01-02 06:00 UTC</time>" in page


def test_decisions_are_told_with_their_runs_and_reasons(alice: Any) -> None:
    job = make(alice, overlap="queue")
    for _ in range(2):
        services.trigger_job(actor=alice.actor, job_id=job.pk)
    page = page_at(sign_in(alice), f"{JOBS}/{job.pk}")
    assert f"/dashboard/runs/{the_run(job).pk}" in page
    assert "A run of this job is still active." in page
    assert "by" not in page.partition("<tbody>")[0].partition("What was decided")[2]
    assert "Alice" in page


@pytest.mark.parametrize("path", ["", "/edit", "/pause", "/resume", "/trigger", "/cancel"])
def test_another_orgs_job_is_not_there(alice: Any, mallory: Any, path: str) -> None:
    job = make(alice)
    client = sign_in(mallory)
    call = client.post if path else client.get
    assert call(f"{JOBS}/{job.pk}{path}").status_code == 404
    assert call(f"{JOBS}/nonsense{path}").status_code == 404


def test_viewers_look_and_may_do_nothing(alice: Any, carol: Any) -> None:
    job = make(alice)
    client = sign_in(carol)
    assert "<button" not in page_at(client, f"{JOBS}/{job.pk}").partition("<main")[2].partition("</main")[0]
    for path in ("/new", f"/{job.pk}/edit", f"/{job.pk}/pause", f"/{job.pk}/trigger", f"/{job.pk}/cancel"):
        assert client.post(JOBS + path, FORM).status_code == 403
    assert fresh(job).status == "scheduled"


# --- what is done to one ----------------------------------------------------------------------------------------------


def test_a_job_is_held_goes_on_and_is_ended(alice: Any) -> None:
    job, client = make(alice), sign_in(alice)
    for verb, status in (("pause", "paused"), ("resume", "scheduled"), ("cancel", "cancelled")):
        page = client.post(f"{JOBS}/{job.pk}/{verb}", follow=True).content.decode()
        assert 'role="status"' in page
        assert faults(page) == []
        assert fresh(job).status == status
    assert "cannot" in client.post(f"{JOBS}/{job.pk}/pause", follow=True).content.decode()


def test_firing_now_leads_to_the_run(alice: Any) -> None:
    job = make(alice)
    answer = sign_in(alice).post(f"{JOBS}/{job.pk}/trigger")
    assert answer["Location"] == f"/dashboard/runs/{the_run(job).pk}"


def test_a_fire_that_is_skipped_or_waits_says_why(alice: Any) -> None:
    for overlap, told in (("skip", "Nothing was started."), ("queue", "not yet")):
        job = make(alice, overlap=overlap)
        client = sign_in(alice)
        client.post(f"{JOBS}/{job.pk}/trigger")
        assert told in client.post(f"{JOBS}/{job.pk}/trigger", follow=True).content.decode()
        end(the_run(job))


def test_a_fire_that_can_start_nothing_says_why(alice: Any) -> None:
    job = make(alice)
    services.trigger_job(actor=alice.actor, job_id=job.pk)  # the first run plants the workflow
    lose_the_workflow(alice)
    page = sign_in(alice).post(f"{JOBS}/{job.pk}/trigger", follow=True).content.decode()
    assert "Nothing was started. workflow:" in page


# --- the form ---------------------------------------------------------------------------------------------------------


def test_a_job_is_made(alice: Any) -> None:
    page_at(sign_in(alice), f"{JOBS}/new")
    answer = sign_in(alice).post(f"{JOBS}/new", FORM, follow=True)
    job = Job.objects.get()
    assert answer.redirect_chain[0][0] == f"{JOBS}/{job.pk}"
    assert (job.cron, job.timezone, job.overlap, job.inputs) == (
        "0 7 * * 1-5",
        "Europe/Berlin",
        "skip",
        {"prompt": PARIS},
    )


def test_one_time_is_a_time_of_the_zone(alice: Any, noon: Any) -> None:
    sign_in(alice).post(f"{JOBS}/new", {**FORM, "when": "at", "run_at": "2030-07-01T09:30"})
    assert Job.objects.get().run_at == datetime(2030, 7, 1, 7, 30, tzinfo=UTC)


def test_now_starts_the_run_at_once(alice: Any) -> None:
    sign_in(alice).post(f"{JOBS}/new", {**FORM, "when": "now"})
    assert the_run(Job.objects.get()).status == "queued"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"name": ""}, "required"),
        ({"cron": "every day"}, "Write five fields"),
        ({"cron": ""}, "Say when"),
        ({"when": "at"}, "Say when"),
        ({"when": "at", "run_at": "tomorrow"}, "Write a time"),
        ({"timezone": "Mars/Olympus"}, "no such time zone"),
        ({"inputs": "{"}, "This is not JSON"),
        ({"inputs": "[]"}, "Write an object"),
        ({"inputs": '{"max_days": 5}'}, "prompt"),
        ({"workflow": "nothing-like-it"}, "nothing-like-it"),
        ({"priority": "1000"}, "less than or equal to 100"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(alice: Any, change: dict[str, str], told: str) -> None:
    answer = sign_in(alice).post(f"{JOBS}/new", {**FORM, **change})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert told in page.partition('class="errorlist"')[2]
    assert faults(page) == []
    assert not Job.objects.exists()


def test_the_form_shows_the_job_as_it_is_and_changes_what_was_changed(alice: Any) -> None:
    job, client = make(alice, timezone="Europe/Berlin"), sign_in(alice)
    form = client.get(f"{JOBS}/{job.pk}/edit").context["form"].initial
    client.post(f"{JOBS}/{job.pk}/edit", {**form, "name": "renamed"})
    after = fresh(job)
    assert (after.name, after.cron, after.timezone, after.version) == ("renamed", "@hourly", "Europe/Berlin", 2)
    assert after.next_fire_at == job.next_fire_at  # the schedule was not touched


def test_nothing_changed_writes_nothing(alice: Any) -> None:
    job, client = make(alice), sign_in(alice)
    form = client.get(f"{JOBS}/{job.pk}/edit").context["form"].initial
    assert "Nothing was changed" in client.post(f"{JOBS}/{job.pk}/edit", form, follow=True).content.decode()
    assert fresh(job).version == 1


def test_a_schedule_becomes_one_time(alice: Any, noon: Any) -> None:
    job, client = make(alice), sign_in(alice)
    form = client.get(f"{JOBS}/{job.pk}/edit").context["form"].initial
    client.post(f"{JOBS}/{job.pk}/edit", {**form, "when": "at", "run_at": "2030-02-01T10:00"})
    assert (fresh(job).cron, fresh(job).run_at) == ("", datetime(2030, 2, 1, 10, tzinfo=UTC))


@pytest.mark.parametrize(
    "moment",
    [datetime(2030, 10, 1, 12, 0, 30, tzinfo=UTC), datetime(2030, 10, 27, 1, 30, tzinfo=UTC)],
    ids=["a second that the form does not show", "an hour that comes twice in Berlin"],
)
def test_a_time_that_is_left_as_it_is_stays_what_it_was(alice: Any, noon: Any, moment: datetime) -> None:
    job, client = make(alice, run_at=moment, timezone="Europe/Berlin"), sign_in(alice)
    form = client.get(f"{JOBS}/{job.pk}/edit").context["form"].initial
    client.post(f"{JOBS}/{job.pk}/edit", {**form, "name": "renamed"})
    assert (fresh(job).name, fresh(job).run_at) == ("renamed", moment)


def test_a_form_of_no_version_changes_nothing(alice: Any) -> None:
    job, client = make(alice), sign_in(alice)
    form = client.get(f"{JOBS}/{job.pk}/edit").context["form"].initial
    answer = client.post(f"{JOBS}/{job.pk}/edit", {**form, "name": "renamed", "version": ""})
    assert answer.status_code == 422
    assert fresh(job).name == "job"


def test_who_was_overtaken_sees_it_and_may_write_over_it(alice: Any) -> None:
    job, client = make(alice), sign_in(alice)
    form = client.get(f"{JOBS}/{job.pk}/edit").context["form"].initial
    services.update_job(actor=alice.actor, job_id=job.pk, version=1, name="theirs")
    answer = client.post(f"{JOBS}/{job.pk}/edit", {**form, "name": "mine"})
    page = answer.content.decode()
    assert answer.status_code == 412
    assert "theirs" in page.partition("<form class")[0]
    assert faults(page) == []
    assert fresh(job).name == "theirs"
    again = answer.context["form"].data
    client.post(f"{JOBS}/{job.pk}/edit", again)
    assert fresh(job).name == "mine"


def test_a_job_that_is_over_cannot_be_changed(alice: Any) -> None:
    job, client = make(alice), sign_in(alice)
    form = client.get(f"{JOBS}/{job.pk}/edit").context["form"].initial
    services.cancel_job(actor=alice.actor, job_id=job.pk)
    for answer in (
        client.post(f"{JOBS}/{job.pk}/edit", {**form, "name": "mine"}, follow=True),
        client.get(f"{JOBS}/{job.pk}/edit", follow=True),
    ):
        assert "This job is cancelled" in answer.content.decode()
    assert fresh(job).name == "job"


# --- finding ----------------------------------------------------------------------------------------------------------


def test_jobs_are_found_by_name_and_id_in_ones_own_org(alice: Any, mallory: Any) -> None:
    job = make(alice, name="Nightly")
    for text in ("nigh", str(job.pk)):
        found = f"/dashboard/find?part=1&q={text}"
        assert f'href="{JOBS}/{job.pk}"' in sign_in(alice).get(found).content.decode()
        assert "Nightly" not in sign_in(mallory).get(found).content.decode()
    assert "Nightly" not in sign_in(alice).get("/dashboard/find?part=1&q=weekly").content.decode()


def test_events_of_jobs_lead_to_their_page(alice: Any) -> None:
    job = make(alice)
    assert f'href="{JOBS}/{job.pk}"' in sign_in(alice).get("/dashboard/events").content.decode()
