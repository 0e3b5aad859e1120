"""Every page of the dashboard, the admin and the browsable API. Tests, pictures and query counts go through this list.

A new page needs a line here; a test fails until it has one. What a path is asked with is found by tests/pages/demo.py.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from django.contrib import admin
from django.contrib.admin import ModelAdmin
from django.db.models import Model
from django.test import RequestFactory

from orchestrator.identity.models import User
from tests.pages.page import Page

# Routes of the dashboard that answer GET and are no pages, and why.
NO_PAGES: Final[Mapping[str, str]] = {
    "dashboard-runs-live": "a fragment of the list of runs, for live.js",
    "dashboard-event-rows": "a fragment of the log, for events.js",
    "dashboard-event-file": "a file",
    "dashboard-settings": "leads to the members",
    "dashboard-limits-of": "leads to the limits",
    "dashboard-run-log-file": "a file",
    "dashboard-run-node-output": "a file",
    "dashboard-workflow-download": "a file",
    "dashboard-workflow-page": "the page of a workflow, once more, for names that end like one of its other pages",
    "dashboard-live": "a fragment of the home page, for live.js",
    "dashboard-run-live": "a fragment of the run's page, for live.js",
    "dashboard-tasks-live": "a fragment of the board, for live.js",
    "dashboard-task-live": "a fragment of the task's page, for live.js",
    "dashboard-agents-live": "a fragment of the grid, for agents.js",
    "dashboard-agent-live": "a fragment of the agent's page, for live.js",
    "dashboard-agent-logs-live": "a fragment of the agent's log, for live.js",
    "dashboard-agent-logs-download": "a file",
}
# Pages of rows of which the demo has none.
NO_ROWS: Final = {"admin-logentry-row", "admin-runoutput-row", "admin-tokenfamily-row"}


def row_of(model: type[Model]) -> str:
    return f"row_{model._meta.app_label}_{model._meta.model_name}"


def _admin_pages() -> Iterator[Page]:
    """The lists of all models, and for each model the pages of a row, of a new one and
    of the end of one, where an operator may open them."""
    yield Page("admin", "admin:index")
    # Django renders these by one template each, whatever the model is.
    yield Page("admin-app", "/admin/runs/")
    yield Page("admin-history", "admin:runs_run_history", of=("row_runs_run",))
    yield Page("admin-password", "admin:password_change")
    for model, model_admin in sorted(admin.site._registry.items(), key=lambda pair: pair[0]._meta.label):
        yield from _pages_of(model, model_admin)


def _pages_of(model: type[Model], model_admin: ModelAdmin) -> Iterator[Page]:
    name, view = f"admin-{model._meta.model_name}", f"admin:{model._meta.app_label}_{model._meta.model_name}"
    request = RequestFactory().get("/admin/")
    request.user = User(is_active=True, is_staff=True, is_superuser=True)
    yield Page(f"{name}-list", f"{view}_changelist")
    yield Page(f"{name}-row", f"{view}_change", of=(row_of(model),))
    if model_admin.has_add_permission(request):
        yield Page(f"{name}-new", f"{view}_add")
    if model_admin.has_delete_permission(request):
        yield Page(f"{name}-delete", f"{view}_delete", of=(row_of(model),))


PAGES: Final[tuple[Page, ...]] = (
    Page("sign-in", "sign-in", signed_in=False),
    Page("home", "dashboard"),
    Page("find", "dashboard-find", query="?q=run"),
    Page("not-found", "/dashboard/nothing", status=404),
    Page("runs", "dashboard-runs"),
    Page("runs-none", "dashboard-runs", query="?status=running"),
    Page("run-new", "dashboard-run-new"),
    Page("run-new-like", "dashboard-run-new", query="?from={run_trip}"),
    Page("run-trip", "dashboard-run", of=("run_trip",)),
    Page("run-failed", "dashboard-run", of=("run_failed",)),
    Page("run-waiting", "dashboard-run", of=("run_waiting",)),
    Page("run-queued", "dashboard-run", of=("run_queued",)),
    Page("run-cancelled", "dashboard-run", of=("run_cancelled",)),
    Page("run-log", "dashboard-run-log", of=("run_trip",)),
    Page("run-workflow", "dashboard-run-workflow", of=("run_failed",)),
    Page("run-patches", "dashboard-run-patches", of=("run_patched",)),
    Page("run-fork", "dashboard-run-fork", of=("run_failed",)),
    Page("run-node", "dashboard-run-node", of=("run_trip", "node_done")),
    Page("run-approval", "dashboard-run-node", of=("run_asking", "node_asking")),
    Page("runs-bulk", "dashboard-runs-bulk", query="?act=cancel&status=waiting"),
    Page("approvals", "dashboard-approvals"),
    Page("workflows", "dashboard-workflows"),
    Page("workflow-new", "dashboard-workflow-new"),
    Page("workflow", "dashboard-workflow", of=("workflow",)),
    Page("workflow-old", "dashboard-workflow", of=("workflow",), query="?at=1"),
    Page("workflow-history", "dashboard-workflow-history", of=("workflow",)),
    Page("workflow-diff", "dashboard-workflow-diff", of=("workflow",), query="?from={workflow_branch}"),
    Page("workflow-edit", "dashboard-workflow-edit", of=("workflow",)),
    Page("workflow-merge", "dashboard-workflow-merge", of=("workflow_branch",), query="?into={workflow}"),
    Page("workflow-promote", "dashboard-workflow-promote", of=("workflow",), query="?into={workflow_branch}"),
    Page("version", "dashboard-version", of=("artifact",)),
    Page("tasks", "dashboard-tasks"),
    Page("tasks-table", "dashboard-tasks", query="?view=table"),
    Page("task-new", "dashboard-task-new"),
    Page("task", "dashboard-task", of=("task_in_progress",)),
    Page("task-edit", "dashboard-task-edit", of=("task_todo",)),
    Page("agents", "dashboard-agents"),
    Page("agent", "dashboard-agent", of=("runtime_agent_executing",)),
    Page("agent-prompts", "dashboard-agent-prompts", of=("runtime_agent_executing",)),
    Page("agent-logs", "dashboard-agent-logs", of=("runtime_agent_executing",)),
    Page("system-log", "dashboard-system-log"),
    Page("definitions", "dashboard-definitions"),
    Page("definition-new", "dashboard-definition-new"),
    Page("definition", "dashboard-definition", of=("agent",)),
    Page("definition-edit", "dashboard-definition-edit", of=("agent",)),
    Page("jobs", "dashboard-jobs"),
    Page("job-new", "dashboard-job-new"),
    Page("job", "dashboard-job", of=("job_scheduled",)),
    Page("job-edit", "dashboard-job-edit", of=("job_scheduled",)),
    Page("events", "dashboard-events"),
    Page("events-some", "dashboard-events", query="?event=run_created"),
    Page("members", "dashboard-members"),
    Page("member", "dashboard-member", of=("member",)),
    Page("api-keys", "dashboard-api-keys"),
    Page("api-key-new", "dashboard-api-key-new"),
    Page("api-key", "dashboard-api-key", of=("api_key",)),
    Page("limits", "dashboard-limits"),
    Page("organization", "dashboard-organization-settings"),
    Page("organization-new", "dashboard-organization-new"),
    # One of each kind: they are all rendered by one template.
    Page("api-list", "/api/v1/collab/tasks", query="?limit=3"),
    Page("api-row", "/api/v1/runs/{run_trip}"),
    Page("api-form", "/api/v1/agents/{agent}"),
    Page("api-not-found", "/api/v1/agents/{run_trip}", status=404),
    Page("api-stranger", "/api/v1/agents", signed_in=False, status=401),
    Page("api-docs", "docs", shows=".opblock"),
    Page("api-reference", "redoc", shows="#redoc h1", huge=True),
    *_admin_pages(),
)
