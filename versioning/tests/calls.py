"""Short ways to say what a test does over HTTP."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from django.db import connection
from django.test.utils import CaptureQueriesContext

from conftest import Person
from orchestrator.events.models import Event
from versioning.models import Artifact, Blob, Tag, TagMove

API: Final = "/api/v1"
JSON: Final = "application/json"


def definition(*names: str, **fields: Any) -> dict[str, Any]:
    """A chain of nodes, each needing the one before."""
    nodes = {
        name: {"type": "planner", **({"needs": [names[place - 1]]} if place else {})}
        for place, name in enumerate(names)
    }
    return {"name": "flow", "nodes": nodes, **fields}


def get(person: Person, path: str, **headers: str) -> Any:
    return person.client.get(f"{API}/{path}", headers=headers)


def post(person: Person, path: str, body: Any, *, if_match: str | None = None, **headers: str) -> Any:
    sent = {**headers, **({"If-Match": if_match} if if_match else {})}
    return person.client.post(f"{API}/{path}", body, content_type=JSON, headers=sent)


def put(person: Person, path: str, body: Any, **headers: str) -> Any:
    return person.client.put(f"{API}/{path}", body, content_type=JSON, headers=headers)


def create(person: Person, tag: str = "flow", *names: str) -> Any:
    """The answer to a new workflow of a chain of ``names``."""
    made = post(person, "workflows", {"tag": tag, "definition": definition(*(names or ("a", "b")))})
    assert made.status_code == 201, made.content
    return made


def patch(person: Person, tag: str, *operations: dict[str, Any], if_match: str | None = None) -> Any:
    return post(person, "patches", {"tag": tag, "operations": list(operations)}, if_match=if_match)


def set_timeout(seconds: int, node: str = "a") -> dict[str, Any]:
    return {"op": "add", "path": f"/nodes/{node}/timeout_seconds", "value": seconds}


# --- other methods, and what most tests do with them -----------------------------------------------------------------


def change(person: Person, path: str, body: Any, *, if_match: str | None = "*") -> Any:
    """PATCH."""
    headers = {"If-Match": if_match} if if_match else {}
    return person.client.patch(f"{API}/{path}", body, content_type=JSON, headers=headers)


def delete(person: Person, path: str, *, if_match: str | None = "*") -> Any:
    return person.client.delete(f"{API}/{path}", headers={"If-Match": if_match} if if_match else {})


def branch(person: Person, name: str, at: str = "flow") -> Any:
    """The answer to a new tag ``name`` at the ref ``at``."""
    made = put(person, f"tags/{name}", {"ref": at}, **{"If-None-Match": "*"})
    assert made.status_code == 201, made.content
    return made


def merge(person: Person, into: str, source: str, *, if_match: str | None = None, **fields: Any) -> Any:
    return post(person, "merge", {"into": into, "from": source, **fields}, if_match=if_match)


def revert(person: Person, tag: str, version: str, **fields: Any) -> Any:
    return post(person, f"workflows/{tag}/revert", {"artifact": version, **fields})


def done(answer: Any) -> Any:
    """The answer itself, which is one of success."""
    assert answer.status_code in (200, 201, 204), answer.content
    return answer


def patched(person: Person, tag: str, *operations: dict[str, Any]) -> str:
    """The id of the new version."""
    version: str = done(patch(person, tag, *operations)).json()["id"]
    return version


def head(person: Person, tag: str = "flow") -> str:
    """The id of the version that the tag stands on."""
    version: str = done(get(person, f"tags/{tag}")).json()["artifact_id"]
    return version


def body_of(person: Person, ref: str = "flow") -> Any:
    """The definition of the version that ``ref`` names."""
    found = done(get(person, f"diff?from={ref}&to={ref}")).json()["to"]["id"]
    return done(get(person, f"artifacts/{found}")).json()["definition"]


def refused(answer: Any, status: int, kind: str) -> Any:
    """The error body, after a look at its form (CONTRACT §2)."""
    assert (answer.status_code, answer.json().get("type")) == (status, kind), answer.content[:500]
    assert {"type", "message", "request_id"} <= set(answer.json()) <= {"type", "message", "details", "request_id"}
    assert answer.json()["request_id"] == answer["X-Request-ID"]
    assert not answer.has_header("ETag")
    return answer.json()


def written() -> dict[str, int]:
    """How many rows there are of all that a write could leave."""
    return {model.__name__: model.objects.count() for model in (Blob, Artifact, Tag, TagMove, Event)}


@contextmanager
def nothing_written() -> Iterator[None]:
    before, tags = written(), list(Tag.objects.order_by("pk").values())
    yield
    assert (written(), list(Tag.objects.order_by("pk").values())) == (before, tags)


def unchanged(call: Callable[[], Any], status: int, kind: str) -> Any:
    """The error body of ``call``, which is refused and writes nothing."""
    with nothing_written():
        return refused(call(), status, kind)


def queries_of(person: Person, path: str, **headers: str) -> list[str]:
    """The statements that answering takes."""
    with CaptureQueriesContext(connection) as captured:
        assert get(person, path, **headers).status_code in (200, 304)
    return [query["sql"] for query in captured.captured_queries]


def copies(version_id: str, count: int) -> list[Artifact]:
    """Rows like that version's, written behind everybody's back: quicker than ``count`` requests."""
    fields = Artifact.objects.values().get(pk=version_id)
    return Artifact.objects.bulk_create(Artifact(**{**fields, "id": uuid.uuid4()}) for _ in range(count))


def assert_tag(told: Any, answer: Any) -> None:
    """A write tells the tag as it is now, with the ETag that the next If-Match needs."""
    assert told == {**answer.json(), "etag": answer["ETag"]}
