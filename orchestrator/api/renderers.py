"""Bodies out: JSON bytes, and the browsable API around the same data."""

from collections.abc import Mapping
from typing import Any

import orjson
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer, BrowsableAPIRenderer
from rest_framework.request import Request

from orchestrator import __version__
from orchestrator.core import clock


def to_json(data: Any) -> bytes:
    """JSON bytes of plain data; datetimes in RFC 3339 with microseconds and ``Z``."""
    return orjson.dumps(data, default=_other, option=orjson.OPT_PASSTHROUGH_DATETIME)


def _other(value: Any) -> Any:
    if hasattr(value, "isoformat"):
        return clock.rfc3339(value)
    raise TypeError(f"{type(value)} has no JSON form")


class JSONRenderer(BaseRenderer):
    """Renders data to JSON; bytes that are made already (a kept list, a resource's canonical form) pass as they are."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> bytes:
        if data is None:
            return b""
        return data if isinstance(data, bytes) else to_json(data)


class Negotiation(DefaultContentNegotiation):
    """DRF's, with its answer for the callers who take anything or JSON, which is nearly all of them, given at once."""

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> tuple[Any, str]:
        accept = request.META.get("HTTP_ACCEPT", "*/*")
        if accept in ("*/*", "application/json") and "format" not in request.GET:
            return renderers[0], JSONRenderer.media_type
        return super().select_renderer(request, renderers, format_suffix)


class BrowsableRenderer(BrowsableAPIRenderer):
    """The browsable API: the JSON answer as a page, with a form for raw JSON in place of one input a field."""

    template = "api/browsable.html"

    def get_default_renderer(self, view: Any) -> JSONRenderer:
        return JSONRenderer()

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> Any:
        """The page shows the ETag and does not carry it: it is the JSON's, and two representations share none."""
        page = super().render(data, accepted_media_type, renderer_context)
        if renderer_context:
            renderer_context["response"].headers.pop("ETag", None)
        return page

    def get_context(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """With our version at the foot of the page, in place of that of Django REST framework."""
        context: dict[str, Any] = {**super().get_context(*args, **kwargs), "version": __version__}
        return context

    def get_content(
        self, renderer: Any, data: Any, accepted_media_type: str | None, renderer_context: Mapping[str, Any]
    ) -> str:
        raw = renderer.render(data)
        return orjson.dumps(orjson.loads(raw), option=orjson.OPT_INDENT_2).decode() if raw else ""

    def show_form_for_method(self, view: Any, method: str, request: Request, obj: Any) -> bool:
        return method in view.allowed_methods

    def render_form_for_serializer(self, serializer: Any) -> str:
        return ""

    def get_rendered_html_form(self, data: Any, view: Any, method: str, request: Request) -> Any:
        return method in ("DELETE", "OPTIONS") and method in view.allowed_methods

    def get_filter_form(self, data: Any, view: Any, request: Request) -> None:
        """Filters are query parameters; /docs lists them."""
