"""Versions for operators: all to read, nothing to edit. What moves a tag goes through the service, as ever."""

import json
from collections.abc import Callable
from typing import Any, Final

from django.contrib import admin
from django.db.models import Func, IntegerField, QuerySet
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from orchestrator.identity.actors import Actor
from orchestrator.identity.admin import ActingAdmin, ReadOnlyAdmin
from versioning import materialisation
from versioning.models import Artifact, Blob, Tag, TagMove
from versioning.querysets import TagQuerySet
from versioning.services import tags

_MOVES: Final = 100


class OctetLength(Func):
    """The bytes of a text."""

    function = "OCTET_LENGTH"
    output_field = IntegerField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template="LENGTH(CAST(%(expressions)s AS BLOB))", **context)


@admin.register(Blob)
class BlobAdmin(ReadOnlyAdmin):
    list_display = fields = readonly_fields = ("digest", "size", "org", "created_at")
    list_filter = ("org",)
    list_select_related = ("org",)
    search_fields = ("digest",)
    ordering = ("-id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Blob]:
        """Without the contents, which may have 4 MiB each."""
        return super().get_queryset(request).defer("content").annotate(size=OctetLength("content"))

    @admin.display(description="bytes")
    def size(self, blob: Any) -> int:
        return int(blob.size)


@admin.register(Artifact)
class ArtifactAdmin(ReadOnlyAdmin):
    list_display = ("id", "kind", "definition_digest", "parents", "depth", "author", "message", "org", "created_at")
    list_filter = ("kind", "org")
    list_select_related = ("org",)
    search_fields = ("definition_digest", "author", "message")
    ordering = ("-id",)
    fields = readonly_fields = (
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
        return format_html("<pre>{}</pre>", json.dumps(whole, indent=2, ensure_ascii=False))


class LastMoves(BaseInlineFormSet):
    def get_queryset(self) -> QuerySet[TagMove]:
        """The last ones only; a long history is in the list of moves."""
        if not hasattr(self, "_last"):
            self._last = super().get_queryset()[:_MOVES]
        return self._last


class MoveInline(admin.TabularInline):
    model = TagMove
    formset = LastMoves
    ordering = ("-number",)
    fields = readonly_fields = (
        "number", "kind", "position", "from_artifact", "to_artifact", "actor", "message", "created_at",
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[TagMove]:
        return super().get_queryset(request).select_related("from_artifact", "to_artifact")


@admin.register(Tag)
class TagAdmin(ActingAdmin):
    list_display = ("name", "org", "artifact", "version", "protected", "updated_by", "updated_at")
    list_filter = ("protected", "org")
    list_select_related = ("org", "artifact")
    search_fields = ("name",)
    ordering = ("-id",)
    fields = readonly_fields = (
        "id", "name", "org", "artifact", "version", "protected", "position", "last_position", "move_count",
        "updated_by", "created_at", "updated_at",
    )  # fmt: skip
    inlines = (MoveInline,)
    actions = ("undo", "redo", "protect", "lift_protection", "delete_names")

    def has_move_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("versioning.change_tag")

    def has_remove_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("versioning.delete_tag")

    @admin.action(description="Undo the last move", permissions=["move"])
    def undo(self, request: HttpRequest, queryset: TagQuerySet) -> None:
        self._each(request, queryset, "Undone", lambda actor, name: tags.undo_tag(actor=actor, name=name))

    @admin.action(description="Redo", permissions=["move"])
    def redo(self, request: HttpRequest, queryset: TagQuerySet) -> None:
        self._each(request, queryset, "Redone", lambda actor, name: tags.redo_tag(actor=actor, name=name))

    @admin.action(description="Protect", permissions=["move"])
    def protect(self, request: HttpRequest, queryset: TagQuerySet) -> None:
        self._each(request, queryset, "Protected", lambda actor, name: _protect(actor, name, True))

    @admin.action(description="Lift protection", permissions=["move"])
    def lift_protection(self, request: HttpRequest, queryset: TagQuerySet) -> None:
        self._each(request, queryset, "Lifted", lambda actor, name: _protect(actor, name, False))

    @admin.action(description="Delete", permissions=["remove"])
    def delete_names(self, request: HttpRequest, queryset: TagQuerySet) -> None:
        self._each(request, queryset, "Deleted", lambda actor, name: tags.delete_tag(actor=actor, name=name))

    def _each(self, request: HttpRequest, rows: TagQuerySet, done: str, change: Callable[[Actor, str], object]) -> None:
        """Django capitalises the first letter of a message, so that it must not be a tag's."""

        def name(tag: Tag) -> str:
            return f"Refused for {tag.org.slug} {tag}"

        self.each(request, rows, done, lambda actor, tag: change(actor, tag.name), name)


def _protect(actor: Actor, name: str, protected: bool) -> None:
    tags.protect_tag(actor=actor, name=name, protected=protected)


@admin.register(TagMove)
class TagMoveAdmin(ReadOnlyAdmin):
    list_display = (
        "tag",
        "number",
        "kind",
        "position",
        "from_artifact",
        "to_artifact",
        "actor",
        "message",
        "created_at",
    )
    list_filter = ("kind", "org")
    list_select_related = ("tag", "from_artifact", "to_artifact")
    search_fields = ("tag__name", "actor", "message")
    ordering = ("-id",)
    fields = readonly_fields = (
        "id", "org", "tag", "number", "kind", "position", "from_artifact", "to_artifact", "actor", "message",
        "created_at",
    )  # fmt: skip
