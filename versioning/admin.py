"""Versions for operators: all to read, nothing to edit. What moves a tag goes through the service, as ever."""

import json
from typing import Any, Final

from django import forms
from django.contrib import admin
from django.db.models import Func, IntegerField, QuerySet
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from orchestrator.api.admin.acts import Act, ActsMixin, Said
from orchestrator.api.admin.base import LargeAdmin
from orchestrator.api.admin.filters import OrgFilter, exactly
from orchestrator.identity.actors import Actor
from versioning import materialisation, refs
from versioning.models import Artifact, Blob, Tag, TagMove
from versioning.services import tags

_MOVES: Final = 100


class OctetLength(Func):
    """The bytes of a text."""

    function = "OCTET_LENGTH"
    output_field = IntegerField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template="LENGTH(CAST(%(expressions)s AS BLOB))", **context)


@admin.register(Blob)
class BlobAdmin(LargeAdmin):
    list_display = fields = ("digest", "size", "org", "created_at")
    list_filter = (OrgFilter, exactly("digest"))
    search_fields = ("digest",)
    indexed_in_org = ("digest",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Blob]:
        """Without the contents, which may have 4 MiB each."""
        return super().get_queryset(request).defer("content").annotate(size=OctetLength("content"))

    @admin.display(description="bytes")
    def size(self, blob: Any) -> int:
        return int(blob.size)


@admin.register(Artifact)
class ArtifactAdmin(LargeAdmin):
    list_display = ("id", "kind", "definition_digest", "parents", "depth", "author", "message", "org", "created_at")
    list_filter = (OrgFilter, "kind", exactly("definition_digest", "digest"))
    search_fields = ("definition_digest", "author", "message")
    ids = ("base_id", "merged_id")
    indexed_in_org = ("definition_digest",)
    fields = (
        "id", "org", "kind", "definition_digest", "blob", "base", "merged", "depth", "chain_length", "node_count",
        "edge_count", "author", "message", "created_at", "definition",
    )  # fmt: skip

    @admin.display(description="parents")
    def parents(self, artifact: Artifact) -> str:
        return ", ".join(str(parent) for parent in (artifact.base_id, artifact.merged_id) if parent) or "-"

    @admin.display(description="definition")
    def definition(self, artifact: Artifact) -> SafeString:
        """What the version comes to, for people to read."""
        try:
            whole = materialisation.definition_of(artifact)
        except materialisation.Corrupt as error:
            return format_html("{}", error)
        return format_html('<pre tabindex="0">{}</pre>', json.dumps(whole, indent=2, ensure_ascii=False))


class LastMoves(BaseInlineFormSet):
    def get_queryset(self) -> QuerySet[TagMove]:
        """The last ones only; a long history is in the list of moves."""
        if not hasattr(self, "_last"):
            self._last = super().get_queryset()[:_MOVES]
        return self._last


class MoveInline(admin.TabularInline):
    model = TagMove
    extra = max_num = 0
    can_delete = False
    formset = LastMoves
    ordering = ("-number",)
    fields = readonly_fields = (
        "number", "kind", "position", "from_artifact", "to_artifact", "actor", "message", "created_at",
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[TagMove]:
        return super().get_queryset(request).select_related("from_artifact", "to_artifact")


class MoveForm(forms.Form):
    ref = forms.CharField(
        label="Version",
        max_length=300,
        help_text="An id, a digest, another tag, or a tag as of one of its moves: release@3.",
    )
    message = forms.CharField(max_length=1000, required=False)


def _move(actor: Actor, tag: Tag, said: Said) -> None:
    tags.move_tag(actor=actor, name=tag.name, to=refs.resolve(tag.org_id, said["ref"]), message=said["message"])


def _undo(actor: Actor, tag: Tag, said: Said) -> None:
    tags.undo_tag(actor=actor, name=tag.name)


def _redo(actor: Actor, tag: Tag, said: Said) -> None:
    tags.redo_tag(actor=actor, name=tag.name)


def _protect(actor: Actor, tag: Tag, said: Said) -> None:
    tags.protect_tag(actor=actor, name=tag.name, protected=True)


def _lift(actor: Actor, tag: Tag, said: Said) -> None:
    tags.protect_tag(actor=actor, name=tag.name, protected=False)


def _delete(actor: Actor, tag: Tag, said: Said) -> None:
    tags.delete_tag(actor=actor, name=tag.name)


@admin.register(Tag)
class TagAdmin(ActsMixin, LargeAdmin):
    list_display = ("name", "org", "artifact", "version", "protected", "updated_by", "updated_at")
    list_filter = (OrgFilter, "protected")
    search_fields = ("name",)
    fields = (
        "id", "name", "org", "artifact", "version", "protected", "position", "last_position", "move_count",
        "updated_by", "created_at", "updated_at",
    )  # fmt: skip
    inlines = (MoveInline,)
    acts = (
        Act("move", "Move to a version", "Moved", _move, form=MoveForm),
        Act("undo", "Undo the last move", "Undone", _undo),
        Act("redo", "Redo", "Redone", _redo),
        Act("protect", "Protect", "Protected", _protect),
        Act("lift_protection", "Lift protection", "Lifted", _lift),
        Act("delete_names", "Delete", "Deleted", _delete, asks="The name goes; its history and all versions stay. What "
            "starts runs by this name can start none any more.", permission="delete"),
    )  # fmt: skip

    def name_of(self, row: Tag) -> str:
        return f"{row.org.slug} {row}"


@admin.register(TagMove)
class TagMoveAdmin(LargeAdmin):
    list_display = (
        "number", "tag", "kind", "position", "from_artifact", "to_artifact", "actor", "message", "created_at",
    )  # fmt: skip
    list_filter = (OrgFilter, "kind")
    search_fields = ("tag__name", "actor", "message")
    ids = ("tag_id",)
    fields = (
        "id", "org", "tag", "number", "kind", "position", "from_artifact", "to_artifact", "actor", "message",
        "created_at",
    )  # fmt: skip
