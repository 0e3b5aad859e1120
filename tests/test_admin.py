"""The admin as a whole: every model is in it or left out for a reason, and no page costs more with more rows."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.core.exceptions import FieldDoesNotExist
from django.test import Client
from django.urls import reverse

from agents.models import Agent, AgentLog, Prompt, RuntimeAgent, SystemLog
from conftest import Person, make_person
from orchestrator.api.admin.base import LargeAdmin
from orchestrator.api.admin.exports import SECRETS, ExportMixin
from orchestrator.api.admin.filters import OrgFilter
from orchestrator.identity import services
from orchestrator.identity.models import Organization
from orchestrator.web.tests.browser import queries
from runs.jobs.models import Job, JobFire
from runs.models import OrgLimits, Run, RunEvent, RunNode, RunOutput, RunPatch, RunPin, Slot
from tasks.models import Task, TaskLease
from versioning.models import Artifact, Blob, Tag, TagMove

OURS = ("identity", "events", "api", "agents", "tasks", "versioning", "runs")
LEFT_OUT = {
    "identity.SocketTicket": "Its key is the hash of a secret, and it lives for seconds.",
    "events.EventHead": "One number an organization, which its log shows.",
    "api.IdempotencyRecord": "Whole answers, also those that show an API key's secret once.",
    "tasks.TaskLabel": "Shown with its task.",
    "tasks.TaskDependency": "Shown with its task.",
}
APPEND_ONLY = ("event", "runevent", "agentlog", "systemlog", "tagmove", "blob", "artifact", "jobfire", "logentry")


def registered() -> Iterator[Any]:
    for model, page in sorted(admin.site._registry.items(), key=lambda pair: pair[0]._meta.label):
        if model._meta.app_label in (*OURS, "admin"):
            yield page


each_page = pytest.mark.parametrize("page", list(registered()), ids=lambda page: page.opts.label)


def list_of(page: Any) -> str:
    return reverse(f"admin:{page.opts.app_label}_{page.opts.model_name}_changelist")


def test_every_model_is_there_or_left_out_for_a_reason() -> None:
    models_of_ours = {model._meta.label for label in OURS for model in apps.get_app_config(label).get_models()}
    missing = models_of_ours - {page.opts.label for page in registered()}
    assert missing == set(LEFT_OUT), "Register it, or say in LEFT_OUT why not."


@each_page
def test_each_has_what_an_operator_needs(page: Any) -> None:
    assert len(page.list_display) > 1
    assert page.list_filter or page.opts.model_name == "organization"
    assert page.search_fields
    assert page.date_hierarchy
    assert page.show_full_result_count is False
    assert isinstance(page, ExportMixin)


@each_page
def test_each_tenant_model_has_the_filter_by_organization(page: Any) -> None:
    try:
        page.opts.get_field("org")
    except FieldDoesNotExist:
        return
    assert OrgFilter in page.list_filter


@each_page
def test_no_export_has_a_secret(page: Any, rf: Any, operator: Any) -> None:
    request = rf.get("/")
    request.user = operator
    columns = page.export_columns(request)
    assert columns
    assert not SECRETS & set(columns)
    assert not [name for name in columns if re.search("secret|hash|password|jti", name)]


@pytest.mark.parametrize("name", APPEND_ONLY)
def test_history_is_read_only(desk: Client, name: str) -> None:
    page = next(page for page in registered() if page.opts.model_name == name)
    assert desk.get(f"{list_of(page)}add/").status_code == 403
    assert "delete_selected" not in desk.get(list_of(page)).content.decode()


def plant(number: int, org: Organization, owner: Person) -> None:
    """One row of each model, each linked to rows of its own, so that a query a row cannot hide."""
    digest = f"sha256:{number:064x}"
    blob = Blob.objects.create(org=org, digest=digest, content='{"nodes": {}}')
    artifact = Artifact.objects.create(
        org=org, kind="workflow", blob=blob, definition_digest=digest, node_count=1, edge_count=0, author="x"
    )
    tag = Tag.objects.create(org=org, name=f"tag-{number}", artifact=artifact, updated_by="x")
    TagMove.objects.create(org=org, tag=tag, number=1, kind="create", position=0, to_artifact=artifact, actor="x")
    run = Run.objects.create(org=org, workflow="w", artifact=artifact, snapshot=artifact, created_by="x")
    RunNode.objects.create(run=run, org=org, node="n", status="completed", output={"a": 1})
    RunEvent.objects.create(
        run=run, org=org, timestamp=run.created_at, sequence=0, node="n", phase="started", summary="s"
    )
    RunPin.objects.create(run=run, org=org, artifact=artifact)
    RunOutput.objects.create(run=run, org=org, digest=digest, content="{}")
    RunPatch.objects.create(run=run, org=org, number=1, operations=[], state="proposed", base=artifact, created_by="x")
    Slot.objects.create(org=org, run=run, scope=f"workflow:{number}", lane="", policy="queue", priority=0, capacity=1)
    OrgLimits.objects.create(org=org)
    job = Job.objects.create(org=org, name="j", workflow="w", status="paused", created_by="x")
    JobFire.objects.create(org=org, job=job, fire_time=run.created_at, status="fired", run=run, created_by="x")
    agent = Agent.objects.create(org=org, name=f"a{number}", created_by="x")
    parent = RuntimeAgent.objects.create(org=org, agent=agent, session_id="s", name="p", created_by="x")
    runtime = RuntimeAgent.objects.create(org=org, agent=agent, parent=parent, session_id="s", name="r", created_by="x")
    Prompt.objects.create(org=org, runtime_agent=runtime, prompt_type="adw", prompt_text="t", created_by="x")
    AgentLog.objects.create(org=org, runtime_agent=runtime, level=1, message="m")
    SystemLog.objects.create(org=org, level=1, component="c", message="m")
    task = Task.objects.create(org=org, title="t", created_by="x")
    TaskLease.objects.create(
        org=org, task=task, holder="h", token=1, ttl_seconds=9, expires_at=run.created_at, created_by="x"
    )
    services.create_api_key(actor=owner.actor, name="k", scopes=["read"])
    admin.models.LogEntry.objects.log_actions(owner.user.pk, [task], 2, "Looked.")


def costs(desk: Client) -> dict[str, int]:
    """The queries of each list and of each page of its newest row."""
    found = {}
    for page in registered():
        path = list_of(page)
        row = page.model._default_manager.order_by("-pk").first()
        if isinstance(row, RuntimeAgent):
            assert row.parent is not None
        addresses = {"list": path, "in org": f"{path}?org=org-of-p0", "row": f"{path}{row.pk}/change/"}
        for kind, address in addresses.items():
            answers: list[Any] = []
            found[f"{page.opts.label} {kind}"] = queries(lambda: answers.append(desk.get(address)))  # noqa: B023
            assert answers[0].status_code in (200, 302), address
    return found


def test_no_page_costs_more_with_more_rows(desk: Client) -> None:
    owners = [make_person(f"p{number}") for number in range(12)]
    for number, owner in enumerate(owners[:2]):
        plant(number, owner.org, owner)
    costs(desk)  # content types and the like are read once a process
    two = costs(desk)
    for number, owner in enumerate(owners[2:], start=2):
        plant(number, owner.org, owner)
    twelve = costs(desk)
    assert twelve == two


def test_large_tables_are_bounded() -> None:
    small = {page.opts.model_name for page in registered() if not isinstance(page, LargeAdmin)}
    assert small == {"logentry", "user", "organization", "membership", "apikey", "orglimits"}


@each_page
def test_each_page_keeps_to_the_policy_and_names_the_request(desk: Client, page: Any) -> None:
    answer = desk.get(list_of(page), headers={"X-Request-ID": "quote-me"})
    html = answer.content.decode()
    assert answer.status_code == 200
    assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", html) == []
    assert html.count("quote-me") == 1
    assert 'href="/dashboard"' in html
    assert "unsafe" not in answer["Content-Security-Policy"]
