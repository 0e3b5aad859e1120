"""Patches to live runs for operators: to read, and to decide on."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin

from orchestrator.api.admin.acts import Act, ActsMixin, Said
from orchestrator.api.admin.base import PartAdmin
from orchestrator.api.admin.filters import OrgFilter
from orchestrator.identity.actors import Actor
from runs.models import RunPatch
from runs.services import patches


class CommentForm(forms.Form):
    comment = forms.CharField(max_length=1000, required=False, help_text="Whoever asked for the patch reads it.")


def _by(service: Callable[..., Any]) -> Callable[[Actor, RunPatch, Said], object]:
    def decide(actor: Actor, patch: RunPatch, said: Said) -> None:
        service(actor=actor, run_id=patch.run_id, number=patch.number, comment=said["comment"])

    return decide


@admin.register(RunPatch)
class RunPatchAdmin(ActsMixin, PartAdmin):
    whole = "run"
    list_display = ("__str__", "run", "org", "state", "message", "created_by", "decided_by", "created_at", "decided_at")
    list_filter = (OrgFilter, "state")
    search_fields = ("message", "created_by", "run__workflow")
    ids = ("run_id",)
    fields = (
        "id", "org", "run", "number", "state", "operations", "message", "comment", "base", "result",
        "definition_version", "created_by", "decided_by", "created_at", "decided_at",
    )  # fmt: skip
    acts = (
        Act("accept_selected", "Accept", "Accepted", _by(patches.accept_patch), form=CommentForm),
        Act("reject_selected", "Reject", "Rejected", _by(patches.reject_patch), form=CommentForm),
        Act("revert_selected", "Revert", "Reverted", _by(patches.revert_patch), form=CommentForm),
    )
