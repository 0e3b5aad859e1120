"""The one shape of every error."""

from typing import Any

from orchestrator.core import errors

TYPES = {
    kind.type: kind.status
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, errors.OrchestratorError)
}
REQUEST_ID = "a-walk.1"


def assert_error(response: Any, status: int, kind: str, *, field: str | None = None, what: str = "") -> dict[str, Any]:
    """That ``response`` to ``what`` is the error ``kind`` and nothing else; its details name ``field``."""
    assert response.status_code == status, (what, response.status_code, response.content[:500])
    assert response["Content-Type"] == "application/json"
    body: dict[str, Any] = response.json()
    assert {"type", "message", "request_id"} <= set(body) <= {"type", "message", "details", "request_id"}
    assert body["type"] == kind
    assert TYPES[kind] == status
    assert isinstance(body["message"], str)
    assert body["message"]
    assert body["request_id"] == response["X-Request-ID"]
    assert "Traceback" not in response.content.decode()
    assert not response.has_header("ETag")
    if field is not None:
        assert field in body["details"], (what, body)
        assert all(isinstance(sentence, str) for sentence in body["details"][field])
    return body
