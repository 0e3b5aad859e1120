"""The history of a workflow: a drawing of its versions, and beside it the moves of its tag."""

from typing import Any

from django.db.models import Max
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from orchestrator.core.errors import NotFound
from orchestrator.core.numbers import parse_number
from orchestrator.identity.actors import Actor
from orchestrator.web.access import page
from orchestrator.web.paging import PAGE_SIZE
from orchestrator.web.people import Names
from versioning.models import Tag, TagMove
from versioning.pages.addresses import tag_of
from versioning.pages.detail import may_move
from versioning.pages.lineages import FORWARD, history_of


@page("GET")
def history_page(request: HttpRequest, actor: Actor, tag: str) -> HttpResponse:
    """``?before=`` is the keyset of the older moves: the number of the last one shown."""
    found = tag_of(actor, tag)
    before = request.GET.get("before", "")
    moves = _moves(found, before)
    more, moves = len(moves) > PAGE_SIZE, moves[:PAGE_SIZE]
    about = {
        "tag": found,
        "history": None if before else history_of(found),
        "moves": move_rows(actor, found, moves),
        "older": moves[-1].number if more else "",
        "first": not before,
        "may_move": may_move(actor, found),
    }
    return render(request, "versioning/history.html", about)


def _moves(tag: Tag, before: str) -> list[TagMove]:
    rows = TagMove.objects.filter(tag=tag).select_related("to_artifact").order_by("-number")
    if before:
        place = parse_number(before)
        if place is None:
            raise NotFound("There is no such place in the history.")
        rows = rows.filter(number__lt=place)
    return list(rows[: PAGE_SIZE + 1])


def move_rows(actor: Actor, tag: Tag, moves: list[TagMove]) -> list[dict[str, Any]]:
    """Each move with who made it, and what it is to undo and redo now. One query and the names'."""
    names = Names(actor.org_id, (move.actor for move in moves))
    positions = {move.position for move in moves if move.kind in FORWARD}
    held = (
        TagMove.objects.filter(tag=tag, position__in=positions, kind__in=FORWARD)
        .order_by().values("position").annotate(last=Max("number")).values_list("position", "last")
    )  # fmt: skip
    holders = dict(held)
    return [
        {
            "move": move, "by": names.spell(move.actor),
            "standing": _standing(tag, move, holders), "is_head": move.to_artifact_id == tag.head.pk,
        }
        for move in moves
    ]  # fmt: skip


def _standing(tag: Tag, move: TagMove, holders: dict[int, int]) -> str:
    """``here``, ``undone``, ``cut off``, or empty for a move that undo would walk back to."""
    if move.kind not in FORWARD:
        return ""
    if holders.get(move.position) != move.number or move.position > tag.last_position:
        return "cut off"
    if move.position == tag.position:
        return "here"
    return "undone" if move.position > tag.position else ""
