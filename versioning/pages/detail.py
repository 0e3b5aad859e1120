"""All that the page of one workflow shows."""

from typing import Any, Final

from orchestrator.identity.actors import Actor
from orchestrator.web.people import Names
from versioning.documents import graph
from versioning.materialisation import definition_of
from versioning.models import Artifact, Tag
from versioning.pages import usage
from versioning.pages.drawings import drawing_of

_NO_UNDO: Final = "Nothing to undo: this is where the workflow began."
_NO_REDO: Final = "Nothing to redo: nothing was undone."


def read_workflow(actor: Actor, tag: Tag, version: Artifact) -> dict[str, Any]:
    """The context of the page: ``version`` under ``tag``. The names, a definition, and what others show of it."""
    names = Names(actor.org_id, (version.author, tag.updated_by))
    return {
        "tag": tag,
        "is_head": version.pk == tag.head.pk,
        "moved_by": names.spell(tag.updated_by),
        "may_move": may_move(actor, tag),
        "no_undo": _NO_UNDO if tag.position == 0 else "",
        "no_redo": _NO_REDO if tag.position == tag.last_position else "",
        "usages": list(usage.filled(actor, tag)),
        **read_version(version, names),
    }


def read_version(version: Artifact, names: Names) -> dict[str, Any]:
    """What there is to see of a version itself."""
    definition = definition_of(version)
    return {
        "shown": version,
        "author": names.spell(version.author),
        "definition": definition,
        "drawing": drawing_of(definition, "The graph of the workflow"),
        "nodes": node_rows(definition),
    }


def may_move(actor: Actor, tag: Tag) -> bool:
    """Whether the buttons that move the tag would work."""
    return actor.may("admin" if tag.protected else "write")


def node_rows(definition: Any) -> list[dict[str, Any]]:
    """The nodes as rows of a table."""
    return [
        {"name": name, "type": node.get("type", ""), "needs": node.get("needs", []), "when": node.get("when", "")}
        for name, node in graph.nodes(definition).items()
        if isinstance(node, dict)
    ]
