"""What tests of the pages of workflows share."""

from typing import Any

from django.test import Client

from orchestrator.web.tests.browser import faults
from versioning import refs
from versioning.models import Tag
from versioning.pages.views import pretty
from versioning.services import tags, workflows
from versioning.tests.calls import definition, set_timeout

FLOWS = "/dashboard/workflows"
FLOW = f"{FLOWS}/flow"


def make(person: Any, tag: str = "flow", *names: str) -> Tag:
    return workflows.create_workflow(
        actor=person.actor, tag=tag, definition=definition(*(names or ("a", "b"))), message="Begun"
    )


def change(person: Any, tag: str = "flow", seconds: int = 5, node: str = "a", message: str = "Slower") -> Tag:
    done = workflows.patch_tag(actor=person.actor, tag=tag, operations=[set_timeout(seconds, node)], message=message)
    assert done.tag
    return done.tag


def branch(person: Any, name: str, source: str = "flow") -> Tag:
    return tags.create_tag(actor=person.actor, name=name, artifact=now(person, source).head)


def now(person: Any, tag: str = "flow") -> Tag:
    return refs.live_tag(person.org.id, tag)


def page_at(client: Client, path: str, status: int = 200) -> str:
    """The page, which must be there and be sound."""
    return sound(client.get(path), status)


def sound(answer: Any, status: int = 200) -> str:
    html: str = answer.content.decode()
    assert answer.status_code == status, html
    found = faults(html)
    assert found == []
    return html


def said(answer: Any) -> str:
    """The flash messages after a redirect."""
    assert answer.status_code == 302, answer.content
    followed = answer.wsgi_request.session.get("_messages", "")
    return str(followed)


def draft(tag: Tag, document: Any, **fields: Any) -> dict[str, Any]:
    """What the edit form sends by somebody who began at ``tag``."""
    text = document if isinstance(document, str) else pretty(document)
    return {"text": text, "version": tag.version, "base": str(tag.head.pk), "message": "", **fields}
