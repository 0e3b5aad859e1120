"""Which runs a list shows: the API's filters, and those that only people ask by. All of them stand in the address."""

import uuid
from dataclasses import dataclass
from typing import Any, Final

import django_filters
from django import forms
from django.db.models import QuerySet
from django.http import HttpRequest

from orchestrator.core.errors import NotFound
from orchestrator.core.ids import parse_uuid
from orchestrator.identity.actors import Actor
from orchestrator.web.paging import Page, edge_of, page_of
from runs.api.filters import RunFilter, check_moment
from runs.models import Run
from runs.services.bulk import Selection

SEARCHED: Final = 20_000  # runs that one page looks at, when no index finds them
_STARTED_BY: Final = (
    ("me", "Me"), ("user", "People"), ("api_key", "API keys"), ("agent", "Agents"), ("system", "The platform"),
)  # fmt: skip
_INDEXED: Final = frozenset({"status", "workflow", "forked_from", "parent"})
_WHEN: Final = {"type": "datetime-local", "step": "1"}


class RunSieve(RunFilter):
    """The filters of the API's list and, for people, who started it, until when, how urgent, and of which run."""

    created_before = django_filters.IsoDateTimeFilter(
        field_name="created_at", lookup_expr="lt", validators=[check_moment]
    )
    by = django_filters.ChoiceFilter(choices=_STARTED_BY, method="filter_by", empty_label="Anybody")
    priority = django_filters.NumberFilter(lookup_expr="gte", min_value=0, max_value=32_767, decimal_places=0)
    parent = django_filters.UUIDFilter()

    _labels: Final = {
        "workflow": "Workflow", "q": "Text within the prompt", "by": "Started by", "priority": "Priority at least",
        "created_after": "Created after (UTC)", "created_before": "Created before (UTC)",
    }  # fmt: skip

    def filter_by(self, runs: QuerySet[Run], _name: str, value: str) -> QuerySet[Run]:
        return runs.filter(created_by__startswith=self.starter(value))

    def starter(self, value: str) -> str:
        """How the names of those actors begin."""
        return str(self.request.actor) if value == "me" else value

    @property
    def form(self) -> forms.Form:
        """The form with the words of the page."""
        if not hasattr(self, "_form"):
            form = super().form
            for name, label in self._labels.items():
                form.fields[name].label = label
            for name in ("created_after", "created_before"):
                form.fields[name].widget = forms.DateTimeInput(attrs=_WHEN, format="%Y-%m-%dT%H:%M:%S")
            form.fields["q"].widget = forms.TextInput(attrs={"type": "search"})
            form.fields["workflow"].widget.attrs["list"] = "workflows"
        found: forms.Form = self._form
        return found

    @property
    def asked(self) -> dict[str, Any]:
        """The filters that say something, when the form is valid."""
        return {name: value for name, value in self.form.cleaned_data.items() if value not in (None, "")}


@dataclass(frozen=True, slots=True)
class Sifted:
    """``further``: the page ends where the search did, and older runs have not been looked at yet."""

    page: Page
    further: bool


def sieve_of(request: HttpRequest, actor: Actor) -> RunSieve:
    return RunSieve(request.GET, queryset=Run.objects.for_org(actor.org_id), request=request)


def sift(sieve: RunSieve, rows: QuerySet[Run], before: str) -> Sifted:
    """One page of those of ``rows`` that pass the sieve, which must be valid. Raises NotFound for no place in the list.

    What no index finds is searched SEARCHED runs at a time, so that a page without a hit is no look at every run.
    """
    found = sieve.filter_queryset(rows)
    edge = _edge(sieve, before) if set(sieve.asked) - _INDEXED else None
    if edge is None:
        return Sifted(page_of(found, before), further=False)
    page = page_of(found.filter(pk__gte=edge), before)
    return Sifted(page, False) if page.older else Sifted(Page(page.rows, str(edge), page.first), True)


def selection(sieve: RunSieve) -> Selection:
    """The same for a bulk act, as its service takes it."""
    names = {"q": "text", "priority": "priority"}
    asked = {names.get(name, name): value for name, value in sieve.asked.items() if name != "by"}
    if "by" in sieve.asked:
        asked["created_by"] = sieve.starter(sieve.asked["by"])
    return Selection(**asked)  # type: ignore[typeddict-item]


def _edge(sieve: RunSieve, before: str) -> uuid.UUID | None:
    """The last run that is looked at, None when that is the oldest of all."""
    narrow = next((name for name in ("status", "workflow") if name in sieve.asked), None)
    rows = sieve.queryset.filter(**{narrow: sieve.asked[narrow]} if narrow else {})
    if before:
        last_seen = parse_uuid(before)
        if last_seen is None:
            raise NotFound
        rows = rows.filter(pk__lt=last_seen)
    edge: uuid.UUID | None = edge_of(rows, SEARCHED)
    return edge
