"""The jobs and the limits of the demonstration."""

from datetime import timedelta

from orchestrator.core import clock
from orchestrator.identity.seeds import Stage
from runs.jobs import services as jobs
from runs.services import org_limits


def limit(stage: Stage) -> None:
    org_limits.set_limits(actor=stage.people["owner"], version=None, max_running_runs=50)


def make_jobs(stage: Stage) -> None:
    """Two schedules in two time zones, one that is paused, and one that comes once."""
    actor = stage.people["pipeline"]
    jobs.create_job(
        actor=actor, name="Report of the day, Berlin", workflow="nightly-report", cron="30 2 * * *",
        timezone="Europe/Berlin", inputs={"day": "yesterday"}, overlap="skip",
    )  # fmt: skip
    jobs.create_job(
        actor=actor, name="Report of the day, New York", workflow="nightly-report", cron="30 2 * * mon-fri",
        timezone="America/New_York", inputs={"day": "yesterday"}, priority=10,
    )  # fmt: skip
    weekly = jobs.create_job(
        actor=stage.people["mina"], name="Weekly brief", workflow="research-brief", cron="0 7 * * mon",
        timezone="Europe/Berlin", inputs={"topic": "The week", "sources": ["journal", "daily"]},
    )  # fmt: skip
    jobs.create_job(
        actor=stage.people["mina"], name="Release before the holidays", workflow="release-train",
        run_at=clock.now() + timedelta(days=9), inputs={"version": "3.0.0", "changes": ["All of it"]},
    )  # fmt: skip
    stage.clock.pass_seconds(3600)
    jobs.pause_job(actor=stage.people["mina"], job_id=weekly.id)


def trigger(stage: Stage) -> None:
    """A job of the same morning, whose run has begun at once."""
    jobs.create_job(
        actor=stage.people["pipeline"], name="A trip, now", inputs={"prompt": "2 days in Rome, on foot"},
        workflow="agent-graph",
    )  # fmt: skip
