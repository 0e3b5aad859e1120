"""Filters that cost the same however many rows and organizations there are."""

from collections.abc import Iterator
from typing import Any, Final

from django.contrib.admin import SimpleListFilter
from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce
from django.http import HttpRequest

from orchestrator.core.ids import parse_uuid
from orchestrator.identity.models import Organization

ORG: Final = "org"
_OFFERED: Final = 10
Admin = Any  # ModelAdmin takes no parameter at run time


class TypedFilter(SimpleListFilter):
    """A value that is typed: an exact one, because what a column holds is not to be listed from a million rows."""

    template = "admin/typed_filter.html"
    hint = "Exactly as it is written"

    def lookups(self, request: HttpRequest, model_admin: Admin) -> list[tuple[str, str]]:
        value = request.GET.get(self.parameter_name or "", "")
        self.others = {name: text for name, text in request.GET.items() if name not in (self.parameter_name, "p")}
        return [(value, value)] if value else []

    def has_output(self) -> bool:
        return True

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(**{str(self.parameter_name): self.value()}) if self.value() else queryset


def exactly(field: str, title: str = "") -> type[TypedFilter]:
    """A filter by the exact value of ``field``."""
    name = title or field.replace("_", " ")
    return type(f"Exactly{field.title()}", (TypedFilter,), {"parameter_name": field, "title": name})


class OrgFilter(TypedFilter):
    """One organization: of the first few, or by its slug or id, which finds any of a million."""

    title, parameter_name = "organization", ORG
    hint = "Slug or id"

    def lookups(self, request: HttpRequest, model_admin: Admin) -> list[tuple[str, str]]:
        super().lookups(request, model_admin)
        chosen = chosen_org(request)
        first = list(Organization.objects.order_by("slug")[:_OFFERED])
        offered = first if chosen is None or chosen in first else [chosen, *first[:-1]]
        self.selected = str(chosen.pk) if chosen else ""
        return [(str(org.pk), org.name) for org in offered]

    def choices(self, changelist: Any) -> Iterator[Any]:
        """What was typed may be a slug, which is in none of the links."""
        yield from super().choices(changelist)
        self.typed = self.value() if self.value() and not self.selected else ""

    def value(self) -> str | None:
        return getattr(self, "selected", "") or super().value()

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        org = chosen_org(request)
        if org is None:
            return queryset.none() if request.GET.get(ORG) else queryset
        if not hasattr(request, "_scans"):
            return queryset.filter(org_id=org.pk)
        # An expression, so that no index on the organization is taken: it would lead to all of its rows.
        return queryset.alias(of_org=Coalesce("org_id", "org_id")).filter(of_org=org.pk)


def chosen_org(request: HttpRequest) -> Organization | None:
    """The organization that the query string names by slug or id; read once a request."""
    if not hasattr(request, "_chosen_org"):
        text = request.GET.get(ORG, "").strip()
        org_id = parse_uuid(text)
        wanted = Q(pk=org_id) if org_id else Q(slug=text)
        request._chosen_org = Organization.objects.filter(wanted).first() if text else None  # type: ignore[attr-defined]
    found: Organization | None = request._chosen_org  # type: ignore[attr-defined]
    return found


def scan(request: HttpRequest) -> None:
    """Let OrgFilter choose among rows that another condition has bounded already."""
    request._scans = True  # type: ignore[attr-defined]
