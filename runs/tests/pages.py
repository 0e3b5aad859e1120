"""What the tests of pages share: runs in every shape, and pages that must be sound."""

from typing import Any

from django.test import Client

from orchestrator.web.tests.browser import faults
from runs.models import Run
from runs.tests.steps import carry, start_graph

QUESTION = {
    "title": "Publish?",
    "message": "Read it first.",
    "schema": {
        "type": "object",
        "properties": {"title": {"type": "string", "minLength": 3}, "stars": {"type": "integer"}},
        "required": ["title"],
    },
}


def page_at(client: Client, path: str, status: int = 200) -> str:
    """The page, which must be there and be sound."""
    answer = client.get(path)
    html: str = answer.content.decode()
    assert answer.status_code == status, html
    assert faults(html) == []
    return html


def sent(client: Client, path: str, data: Any = None, status: int = 200) -> str:
    """The page that a form leads to, which must be sound."""
    answer = client.post(path, data or {}, follow=True)
    html: str = answer.content.decode()
    assert answer.status_code == status, html
    assert faults(html) == []
    return html


def asking(person: Any, **question: Any) -> Run:
    """A run that waits for somebody's decision on ``review``."""
    asked = {name: value for name, value in {**QUESTION, **question}.items() if value is not None}
    nodes = {
        "draft": {"type": "transform", "with": {"output": {"text": "Draft"}}},
        "review": {"type": "approval", "needs": ["draft"], "with": asked},
        "publish": {"type": "transform", "needs": ["review"], "with": {"output": {"a": "${nodes.review.answer}"}}},
    }
    return carry(start_graph(person, nodes, output="nodes.publish"))
