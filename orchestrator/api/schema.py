"""OpenAPI: what drf-spectacular cannot see by itself.

It reads what the code does (does this action check If-Match?), so that no second list of such facts must be kept true.
"""

import functools
import inspect
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from types import CodeType
from typing import Any, Final, cast

import django_filters
from django.utils.functional import Promise
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema as SpectacularSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter

from orchestrator.api import lists
from orchestrator.api.conditional import etag_of
from orchestrator.api.renderers import to_json
from orchestrator.api.serializers import StrictSerializer
from orchestrator.core import errors

BASE: Final = "/api/v1/"
SchemaDict = dict[str, Any]
Endpoint = tuple[str, str, str, Any]

_ERROR_SCHEMA: Final[SchemaDict] = {
    "type": "object",
    "description": "Every error of every endpoint.",
    "properties": {
        "type": {"type": "string", "description": "A stable code."},
        "message": {"type": "string", "description": "For people."},
        "details": {"description": "More for machines; of a validation_error, the sentences by field."},
        "request_id": {"type": "string", "description": "Also in X-Request-ID and in our logs."},
    },
    "required": ["type", "message", "request_id"],
}
_STATUS_NAMES: Final = {
    400: "MalformedRequest", 401: "NotAuthenticated", 403: "PermissionDenied", 404: "NotFound", 406: "NotAcceptable",
    409: "Conflict", 412: "PreconditionFailed", 413: "PayloadTooLarge", 415: "UnsupportedMediaType",
    422: "ValidationFailed", 428: "PreconditionRequired", 429: "RateLimited", 500: "OrchestratorError",
    503: "Unavailable",
}  # fmt: skip
_FILTER_TYPES: Final = (
    (django_filters.BooleanFilter, OpenApiTypes.BOOL),
    (django_filters.IsoDateTimeFilter, OpenApiTypes.DATETIME),
    (django_filters.DateTimeFilter, OpenApiTypes.DATETIME),
    (django_filters.UUIDFilter, OpenApiTypes.UUID),
    (django_filters.NumberFilter, OpenApiTypes.INT),
)


class AutoSchema(SpectacularSchema):
    """One operation, with our headers, filters, pages and path ids."""

    def get_operation_id(self) -> str:
        """``runs_cancel``: the path's words and the action's name."""
        words = [word.replace("-", "_") for word in self._tokenize_path()]
        action = getattr(self.view, "action", None) or self.method.lower()
        return "_".join(words if words[-1:] == [action] else [*words, action])

    def get_auth(self) -> list[SchemaDict]:
        """The ways to authenticate; the empty one where anonymous callers are let in."""
        public = getattr(self.view, "action", None) in getattr(self.view, "public_actions", ())
        return [*super().get_auth(), *([{}] if public else [])]

    def get_override_parameters(self) -> list[OpenApiParameter]:  # type: ignore[override]
        found = [*self._page_parameters(), *self._precondition_parameters()]
        if getattr(self._action(), "takes_idempotency_key", False):
            about = "1 to 255 printable characters. The first answer is given again for 24 hours."
            found.append(_header("Idempotency-Key", about))
        return found

    def _precondition_parameters(self) -> Iterator[OpenApiParameter]:
        if self.method == "GET":
            yield _header("If-None-Match", "ETags that you hold; 304 when one of them is current.")
        elif _reaches(type(self.view), self._action(), "check_if_match"):
            yield _header("If-Match", "The ETag that you read, or *.", required=self.method != "POST")

    def _page_parameters(self) -> Iterator[OpenApiParameter]:
        if not _reaches(type(self.view), self._action(), "answer_list"):
            return
        limit = {"type": "integer", "minimum": 1, "maximum": lists.MAX_LIMIT, "default": lists.DEFAULT_LIMIT}
        yield OpenApiParameter("limit", limit, description="Items at most.")
        yield OpenApiParameter("cursor", str, description="The next_cursor of the page before.")
        listing = getattr(self.view, "listing", None)
        for name, found in (listing.filters.base_filters if listing and listing.filters else {}).items():
            yield _filter_parameter(name, found)

    def _action(self) -> Any:
        return getattr(self.view, getattr(self.view, "action", ""), None)

    def _resolve_path_parameters(self, variables: Iterable[str]) -> list[SchemaDict]:
        # Strings, all of them: a malformed id is a 404 like any other that names nothing.
        return [{"in": "path", "name": name, "schema": {"type": "string"}, "required": True} for name in variables]

    def _get_response_for_code(
        self, serializer: Any, status_code: str, media_types: Any = None, direction: Any = "response"
    ) -> SchemaDict:
        made = super()._get_response_for_code(serializer, status_code, media_types, direction)
        answer = cast(SchemaDict, made)
        for content in answer.get("content", {}).values():
            if self.method == "GET" and content.get("schema", {}).get("type") == "array":
                content["schema"] = _page_of(content["schema"])
        return answer

    def _map_basic_serializer(self, serializer: Any, direction: Any) -> SchemaDict:
        schema = cast(SchemaDict, super()._map_basic_serializer(serializer, direction))
        if isinstance(serializer, StrictSerializer):
            schema["additionalProperties"] = False
        return schema


class ActorScheme(OpenApiAuthenticationExtension):
    """Any one of the three; drf-spectacular finds this class by its target."""

    target_class = "orchestrator.api.authentication.ActorAuthentication"
    name = ["bearer", "apiKey", "session"]

    def get_security_requirement(self, auto_schema: Any) -> list[dict[str, list[Any]]]:
        return [{name: []} for name in self.name]

    def get_security_definition(self, auto_schema: Any) -> list[SchemaDict]:
        about = "For browsers; writes also need the CSRF token as X-CSRFToken."
        return [
            {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "From POST /api/v1/auth/login."},
            {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "From POST /api/v1/api-keys."},
            {"type": "apiKey", "in": "cookie", "name": "sessionid", "description": about},
        ]


def canonical_paths_only(endpoints: list[Endpoint]) -> list[Endpoint]:
    """Each view once, at its canonical path, written without the slash at the end that none needs."""
    return [(path.rstrip("/"), regex, method, view) for path, regex, method, view in endpoints if path.startswith(BASE)]


_streams: dict[str, SchemaDict] = {}


def document_stream(path: str, operation_id: str, about: str, parameters: Mapping[str, str]) -> None:
    """Add an event stream to the document: a plain view, which drf-spectacular does not see. Parameters by meaning."""
    known = {**parameters, "after": "The id of the last event that you have.", "Last-Event-ID": "The same; it wins."}
    places = [(name, "header" if name == "Last-Event-ID" else "query", about) for name, about in known.items()]
    named: list[SchemaDict] = [
        {"in": place, "name": name, "schema": {"type": "string"}, "description": told} for name, place, told in places
    ]
    in_path = re.findall(r"{(\w+)}", path)
    named += [{"in": "path", "name": name, "schema": {"type": "string"}, "required": True} for name in in_path]
    answer = {"description": "The open stream.", "content": {"text/event-stream": {"schema": {"type": "string"}}}}
    _streams[path] = {
        "get": {
            "operationId": operation_id,
            "description": about,
            "parameters": named,
            "tags": [path.split("/")[3]],
            "security": [{name: []} for name in ActorScheme.name],
            "responses": {"200": answer},
        }
    }


def add_streams(result: SchemaDict, **_: Any) -> SchemaDict:
    result["paths"].update(_streams)
    return result


def add_error_answers(result: SchemaDict, **_: Any) -> SchemaDict:
    """Every operation names the errors that it can answer, all by reference to one schema."""
    components = result.setdefault("components", {})
    components.setdefault("schemas", {})["Error"] = _ERROR_SCHEMA
    components["responses"] = {name: _error_answer(name) for name in _STATUS_NAMES.values()}
    for path, operations in result["paths"].items():
        for method, operation in operations.items():
            for status in _possible_errors(path, method, operation):
                answer = {"$ref": f"#/components/responses/{_STATUS_NAMES[status]}"}
                operation["responses"].setdefault(str(status), answer)
            if method == "get":
                operation["responses"].setdefault("304", {"description": "What you hold is current."})
    return result


def document() -> tuple[bytes, str]:
    """The schema's bytes and ETag. Made once a process: no route comes or goes while it runs."""
    with _document_lock:
        return _document()


_document_lock = threading.Lock()


@functools.cache
def _document() -> tuple[bytes, str]:
    made = SchemaGenerator().get_schema(request=None, public=True)
    body = to_json(_plain(made))
    return body, etag_of(body)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(name): _plain(found) for name, found in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(found) for found in value]
    return str(value) if isinstance(value, Promise) else value


def _header(name: str, about: str, required: bool = False) -> OpenApiParameter:
    return OpenApiParameter(name, str, OpenApiParameter.HEADER, required=required, description=about)


def _filter_parameter(name: str, found: django_filters.Filter) -> OpenApiParameter:
    kind = next((kind for filter_class, kind in _FILTER_TYPES if isinstance(found, filter_class)), OpenApiTypes.STR)
    choices = found.extra.get("choices") or ()
    return OpenApiParameter(
        name,
        kind,
        description=str(found.extra.get("help_text") or ""),
        enum=[value for value, _ in choices] if isinstance(choices, list | tuple) and choices else None,
        many=isinstance(found, django_filters.MultipleChoiceFilter),
    )


def _page_of(items: SchemaDict) -> SchemaDict:
    return {
        "type": "object",
        "properties": {"kind": {"type": "string"}, "items": items, "next_cursor": {"type": ["string", "null"]}},
        "required": ["kind", "items", "next_cursor"],
    }


def _error_answer(name: str) -> SchemaDict:
    error: errors.OrchestratorError = getattr(errors, name)()
    shown: SchemaDict = {"description": f"`{error.type}`: {error.message}"}
    if error.headers:
        shown["headers"] = {header: {"schema": {"type": "string"}} for header in error.headers}
    return {**shown, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}


def _possible_errors(path: str, method: str, operation: SchemaDict) -> Iterator[int]:
    yield from (406, 429, 500, 503)
    security = operation.get("security", [{}])
    if security != [{}]:
        yield from (401, 403)
    elif method == "post":
        yield 401  # the sign-ins
    if "{" in path:
        yield 404
    if method != "get" or "parameters" in operation:
        yield 422
    if method != "get":
        yield from (400, 409, 413, 415)
    if any(parameter["name"] == "If-Match" for parameter in operation.get("parameters", ())):
        yield from (412, 428)


def _reaches(owner: type, function: Any, wanted: str, seen: frozenset[str] = frozenset()) -> bool:
    """Whether ``function`` calls the method ``wanted``, itself or through other methods of its class."""
    code = getattr(inspect.unwrap(function), "__code__", None) if function else None
    if code is None:
        return False
    names = set(_names(code))
    deeper = (name for name in names - seen if callable(getattr(owner, name, None)))
    return wanted in names or any(_reaches(owner, getattr(owner, name), wanted, seen | names) for name in deeper)


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
