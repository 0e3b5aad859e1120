"""What runs and jobs put into the shell: panels of the home page, needs, pages of event targets, sections, finders."""

from orchestrator.web import navigation, needs, palette, panels
from orchestrator.web.navigation import Section
from orchestrator.web.panels import Panel
from orchestrator.web.settings import tabs
from orchestrator.web.settings.tabs import Tab
from runs.jobs.pages.finder import find_jobs
from runs.jobs.states import JobStatus
from runs.pages import home
from runs.pages.find import find_runs
from runs.pages.of_workflow import by_version
from runs.states import RunStatus
from versioning.pages import usage
from versioning.pages.usage import Usage

panels.register(Panel("activity", "top", "runs/home/activity.html", home.activity, regions=True, order=20))
panels.register(
    Panel("start-run", "main", "runs/home/start.html", home.start_form, live=False, scope="write", order=10)
)
panels.register(Panel("latest-runs", "main", "runs/home/latest.html", home.latest, order=20))
panels.register_target("run", "dashboard-run")
panels.register_target("job", "dashboard-job")
panels.register_target("org", "dashboard-limits-of")
needs.register("Decisions", "hourglass", home.decisions, "dashboard-approvals")
needs.register("Failed runs", "circle-x", home.failures, "dashboard-runs", {"status": RunStatus.FAILED})
needs.register(
    "Jobs that cannot start", "calendar-clock", home.stuck_jobs, "dashboard-jobs", {"status": JobStatus.PAUSED}
)
navigation.register(Section("Runs", "dashboard-runs", "play", 10, also=("/dashboard/approvals",)))
navigation.register(Section("Jobs", "dashboard-jobs", "calendar-clock", 50))
palette.register("Runs", find_runs)
palette.register("Jobs", find_jobs)
tabs.register(Tab("Limits", "dashboard-limits", 30))
usage.register(Usage("runs/partials/of_workflow.html", by_version, "runs/partials/start_of_workflow.html"))
