"""The product's errors: a stable ``type`` code and an HTTP status each (CONTRACT §2).

Services raise these; the API's one error mapper turns them into the error body. They know nothing of HTTP beyond the
status.
"""

from collections.abc import Mapping
from typing import Any, ClassVar


class OrchestratorError(Exception):
    """Base of every error that a caller may see. ``message`` is written for them; ``details`` is JSON."""

    type: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500
    default_message: ClassVar[str] = "Something went wrong on our side."

    def __init__(self, message: str | None = None, *, details: Any = None, headers: Mapping[str, str] | None = None):
        self.message = message or self.default_message
        self.details = details
        self.headers = dict(headers or {})
        super().__init__(self.message)


class MalformedRequest(OrchestratorError):
    type, status = "malformed_request", 400
    default_message = "The request could not be read."


class NotAuthenticated(OrchestratorError):
    type, status = "not_authenticated", 401
    default_message = "Missing or invalid credentials."

    def __init__(self, message: str | None = None, *, details: Any = None, headers: Mapping[str, str] | None = None):
        super().__init__(message, details=details, headers={"WWW-Authenticate": "Bearer", **(headers or {})})


class PermissionDenied(OrchestratorError):
    type, status = "permission_denied", 403
    default_message = "You may not do this."


class NotFound(OrchestratorError):
    type, status = "not_found", 404
    default_message = "Nothing here by that name."


class MethodNotAllowed(OrchestratorError):
    type, status = "method_not_allowed", 405
    default_message = "This method is not allowed here."


class NotAcceptable(OrchestratorError):
    type, status = "not_acceptable", 406
    default_message = "None of the accepted media types can be produced here."


class Conflict(OrchestratorError):
    type, status = "conflict", 409
    default_message = "The request conflicts with the current state."


class InvalidTransition(Conflict):
    type = "invalid_transition"


class LeaseHeld(Conflict):
    """``details`` has ``holder`` and ``expires_at``."""

    type = "lease_held"
    default_message = "Somebody else works on this task."


class IdempotencyConflict(Conflict):
    type = "idempotency_conflict"
    default_message = "The first request with this Idempotency-Key is still running."


class MergeConflict(Conflict):
    """``details`` has ``conflicts``: kind, JSON Pointer and the value on each side."""

    type = "merge_conflict"
    default_message = "The two sides changed the same things; say which is right in `resolutions`."


class PreconditionFailed(OrchestratorError):
    type, status = "precondition_failed", 412
    default_message = "The resource has changed since you read it."


class PayloadTooLarge(OrchestratorError):
    type, status = "payload_too_large", 413
    default_message = "The request body is too large."


class UnsupportedMediaType(OrchestratorError):
    type, status = "unsupported_media_type", 415
    default_message = "Send the body as application/json."


class ValidationFailed(OrchestratorError):
    """``details`` maps each faulty field to a list of sentences."""

    type, status = "validation_error", 422
    default_message = "The request is not valid."


class PreconditionRequired(OrchestratorError):
    type, status = "precondition_required", 428
    default_message = "Send If-Match with the ETag that you read."


class RateLimited(OrchestratorError):
    type, status = "rate_limited", 429
    default_message = "Too many requests; slow down."


class Unavailable(OrchestratorError):
    type, status = "unavailable", 503
    default_message = "The service cannot answer right now; try again shortly."

    def __init__(self, message: str | None = None, *, details: Any = None, headers: Mapping[str, str] | None = None):
        super().__init__(message, details=details, headers={"Retry-After": "5", **(headers or {})})


def error_body(error: OrchestratorError, request_id: str) -> dict[str, Any]:
    """The error object of CONTRACT §2, used by HTTP answers, streams and socket frames alike."""
    body: dict[str, Any] = {"type": error.type, "message": error.message}
    if error.details is not None:
        body["details"] = error.details
    body["request_id"] = request_id
    return body
