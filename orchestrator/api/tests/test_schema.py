from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from orchestrator.api.schema import document


@pytest.fixture(scope="module")
def schema() -> Any:
    return Client().get("/api/schema").json()


def operations(schema: Any) -> Iterator[tuple[str, str, Any]]:
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def test_it_is_valid_and_without_a_warning() -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=StringIO(), stderr=StringIO())


@pytest.mark.parametrize("accept", [{}, {"Accept": "*/*"}, {"Accept": "application/json"}, {"Accept": "text/html"}])
def test_it_is_json_by_default_with_a_strong_etag(accept: dict[str, str]) -> None:
    answer = Client().get("/api/schema", headers=accept)
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")
    assert answer.json()["openapi"].startswith("3.1")
    again = Client().get("/api/schema", headers={"If-None-Match": f"W/{answer['ETag']}"})
    assert (again.status_code, again["ETag"], again.content) == (304, answer["ETag"], b"")


def test_it_is_made_once() -> None:
    assert document()[0] is document()[0]


def test_it_has_the_canonical_paths_alone(schema: Any) -> None:
    assert {"/api/v1/auth/login", "/api/v1/api-keys/{key_id}", "/api/v1/events"} <= set(schema["paths"])
    assert all(path.startswith("/api/v1/") and not path.endswith("/") for path in schema["paths"])


def test_every_operation_has_a_name_of_its_own_words_and_its_errors(schema: Any) -> None:
    names = [operation["operationId"] for _, _, operation in operations(schema)]
    assert len(names) == len(set(names))
    for path, method, operation in operations(schema):
        assert operation.get("description"), (path, method)
        assert {"429", "500", "503"} <= set(operation["responses"]), (path, method)
        if "{" in path:
            assert "404" in operation["responses"], (path, method)
        if method == "get":
            assert "304" in operation["responses"], (path, method)
    answer = schema["components"]["responses"]["NotAuthenticated"]
    assert answer["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Error"}
    assert "WWW-Authenticate" in answer["headers"]


def test_each_way_to_authenticate_is_enough(schema: Any) -> None:
    ways = [{"bearer": []}, {"apiKey": []}, {"session": []}]
    assert schema["paths"]["/api/v1/events"]["post"]["security"] == ways
    assert {} in schema["paths"]["/api/v1/auth/login"]["post"].get("security", [{}])
    assert set(schema["components"]["securitySchemes"]) == {"bearer", "apiKey", "session"}


def test_headers_filters_and_pages_are_read_from_the_code(schema: Any) -> None:
    def parameters(path: str, method: str) -> dict[str, Any]:
        return {found["name"]: found for found in schema["paths"][path][method].get("parameters", [])}

    listed = parameters("/api/v1/events", "get")
    assert {"limit", "cursor", "after", "event", "target", "actor", "If-None-Match"} <= set(listed)
    assert listed["limit"]["schema"] == {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}
    assert "Idempotency-Key" in parameters("/api/v1/events", "post")
    assert "Idempotency-Key" not in parameters("/api/v1/auth/login", "post")
    task = parameters("/api/v1/collab/tasks/{task_id}", "put")
    assert task["If-Match"]["required"] is True
    assert "If-Match" not in parameters("/api/v1/members/{member_id}", "patch")
    assert "428" in schema["paths"]["/api/v1/collab/tasks/{task_id}"]["put"]["responses"]


def test_lists_are_pages_and_bodies_are_strict(schema: Any) -> None:
    answer = schema["paths"]["/api/v1/members"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert set(answer["required"]) == {"kind", "items", "next_cursor"}
    assert schema["components"]["schemas"]["LogInRequest"]["additionalProperties"] is False
    assert "secret" not in schema["components"]["schemas"]["ApiKeyBody"]["properties"]


@pytest.mark.parametrize("path", ["/api/v1/events/tail", "/api/v1/runs/{run_id}/events/stream"])
def test_the_streams_are_in_it(schema: Any, path: str) -> None:
    operation = schema["paths"][path]["get"]
    assert "text/event-stream" in operation["responses"]["200"]["content"]
    assert {"401", "422"} <= set(operation["responses"])
    assert {"after", "Last-Event-ID"} <= {parameter["name"] for parameter in operation["parameters"]}
