"""What operators may do to rows: each act is a service, called in the operator's name, row by row."""

import functools
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.models import CHANGE, LogEntry
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from orchestrator.api.admin.base import OperatorAdmin, ReadOnlyAdmin
from orchestrator.core import clock
from orchestrator.core.errors import OrchestratorError
from orchestrator.identity.actors import SCOPES, Actor
from orchestrator.identity.models import Role, User

MOST_ACTED: Final = 500  # rows of one act; their ids travel in the form that asks whether it is meant
_NAMED: Final = 10  # rows that a message names
Said = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Act:
    """``do`` is called for each row with what was said in ``form``. ``asks``: what is to be confirmed first."""

    name: str
    label: str
    done: str
    do: Callable[[Actor, Any, Said], object]
    asks: str = ""
    form: type[forms.Form] | None = None
    permission: str = "change"


def operator(request: HttpRequest, org_id: uuid.UUID) -> Actor:
    """The signed-in superuser, acting in any org; the event names them."""
    assert isinstance(request.user, User)
    return Actor("user", request.user.pk, org_id, frozenset(SCOPES), Role.OWNER)


class ActsMixin(OperatorAdmin):
    """Offers ``acts`` to those who may change the model's rows."""

    acts: tuple[Act, ...] = ()

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        mine = {act.name: act for act in self.acts if self.may(request, act)}
        offered = {name: (functools.partial(_perform, act), name, act.label) for name, act in mine.items()}
        return {**offered, **super().get_actions(request)}

    def may(self, request: HttpRequest, act: Act) -> bool:
        user: Any = request.user
        return bool(user.has_perm(f"{self.opts.app_label}.{act.permission}_{self.opts.model_name}"))

    def name_of(self, row: Any) -> str:
        """How messages name a row."""
        return str(row)

    def org_of(self, row: Any) -> uuid.UUID:
        found: uuid.UUID = row.org_id
        return found


class ActingAdmin(ActsMixin, ReadOnlyAdmin):
    """Shows rows and acts on them by services, in the operator's name."""


def _perform(act: Act, page: ActsMixin, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
    """The act, or the page that asks whether it is meant."""
    rows = list(queryset[: MOST_ACTED + 1])
    confirmed = "confirmed" in request.POST
    form = act.form(request.POST if confirmed else None) if act.form else None
    if (act.asks or form) and not (confirmed and (form is None or form.is_valid())):
        return _ask(act, page, request, rows, form)
    _each(act, page, request, rows[:MOST_ACTED], form.cleaned_data if form else {})
    if len(rows) > MOST_ACTED:
        page.message_user(request, f"Only the first {MOST_ACTED}: do it again for the others.", messages.WARNING)
    return None


def _ask(act: Act, page: ActsMixin, request: HttpRequest, rows: list[Any], form: forms.Form | None) -> TemplateResponse:
    count = min(len(rows), MOST_ACTED)
    noun = page.opts.verbose_name if count == 1 else page.opts.verbose_name_plural
    about = {
        **page.admin_site.each_context(request),
        "opts": page.opts, "act": act, "form": form, "count": count, "title": f"{act.label}: {count} {noun}?",
        "names": [page.name_of(row) for row in rows[:_NAMED]], "rest": max(0, count - _NAMED),
        "more": len(rows) > MOST_ACTED, "most": MOST_ACTED,
        "ids": [str(row.pk) for row in rows[:MOST_ACTED]], "checkbox": ACTION_CHECKBOX_NAME,
        "back": request.get_full_path(), "media": page.media,
    }  # fmt: skip
    return TemplateResponse(request, "admin/act.html", about)


def _each(act: Act, page: ActsMixin, request: HttpRequest, rows: list[Any], said: Said) -> None:
    """Each row in a transaction of its own, half as long as a request may take; what became of each is said."""
    until = clock.monotonic() + settings.REQUEST_TIMEOUT_SECONDS / 2
    acted, refused, left = [], [], 0
    for row in rows:
        if clock.monotonic() > until:
            left += 1
            continue
        try:
            act.do(operator(request, page.org_of(row)), row, said)
            acted.append(row)
        except OrchestratorError as error:
            refused.append(f"{page.name_of(row)}: {_reason(error)}")
    _tell(act, page, request, acted, refused, left)
    if acted:
        by, rows_done = cast(User, request.user), cast(Any, acted)
        LogEntry.objects.log_actions(by.pk, rows_done, CHANGE, f"{act.done}.")


def _tell(act: Act, page: ActsMixin, request: HttpRequest, acted: list[Any], refused: list[str], left: int) -> None:
    names = ", ".join(page.name_of(row) for row in acted[:_NAMED]) + (" …" if len(acted) > _NAMED else "")
    page.message_user(
        request, f"{act.done}: {len(acted)}. {names}".rstrip(), messages.SUCCESS if acted else messages.INFO
    )
    for reason in refused[:_NAMED]:
        # Django capitalises the first letter of a message, which must not be that of a name.
        page.message_user(request, f"Refused for {reason}", messages.WARNING)
    if len(refused) > _NAMED:
        page.message_user(request, f"Refused for {len(refused) - _NAMED} more.", messages.WARNING)
    if left:
        page.message_user(request, f"No time was left for {left}: do it again for them.", messages.WARNING)


def _reason(error: OrchestratorError) -> str:
    if isinstance(error.details, dict) and all(isinstance(lines, list) for lines in error.details.values()):
        return " ".join(str(line) for lines in error.details.values() for line in lines) or error.message
    return error.message
