"""Every route of the product, read from the resolver."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from inspect import getclosurevars
from typing import Any, Final

import orjson
from django.urls import URLPattern, URLResolver, get_resolver

from orchestrator.api.errors import not_found
from orchestrator.api.schema import document

METHODS: Final = ("get", "post", "put", "patch", "delete")
# Pages answer in HTML, to a session; the pages of Django's admin are Django's.
PAGES: Final = ("/dashboard", "/login", "/logout", "/docs", "/redoc")
NOT_OURS: Final = ("/admin/", "/static/")
# Plain views that answer anybody; of the viewsets, public_actions says it.
OPEN: Final = frozenset({"/", "/healthz", "/readyz", "/health", "/api/schema"})
# They show who may open the door, not what is behind it: a scrape token or an administrator.
GUARDED: Final = frozenset({"/metrics"})


@dataclass(frozen=True)
class Route:
    """``template`` is the path with ``{name}`` for each parameter, without a slash at its end."""

    template: str
    view: Any
    name: str = ""

    def __str__(self) -> str:
        return self.template

    @property
    def parameters(self) -> list[str]:
        return re.findall(r"{(\w+)}", self.template)

    @property
    def viewset(self) -> Any:
        return getattr(self.view, "cls", None)

    @cached_property
    def actions(self) -> Mapping[str, str]:
        """The viewset's action for each method; a page names its methods; other plain views only read."""
        if self.viewset is not None:
            return {method: action for method, action in self.view.actions.items() if method in METHODS}
        methods = getclosurevars(self.view).nonlocals.get("methods", ("GET",)) if self.is_page else ("GET",)
        return {method.lower(): method.lower() for method in methods}

    @property
    def is_page(self) -> bool:
        return self.template.startswith(PAGES)

    @property
    def is_stream(self) -> bool:
        return self.template.endswith(("/stream", "/tail"))

    @property
    def is_list(self) -> bool:
        return self.actions.get("get") == "list"

    def is_public(self, method: str) -> bool:
        return self.template in OPEN | GUARDED or self.actions.get(method) in getattr(
            self.viewset, "public_actions", ()
        )

    @property
    def signs_in(self) -> bool:
        """Whether it reads no credentials from headers, because it makes them."""
        return self.viewset is not None and not self.viewset.authentication_classes

    def takes_body(self, method: str) -> bool:
        """As the OpenAPI document says; the other mounts are the same views."""
        paths = orjson.loads(document()[0])["paths"]
        canonical = self.template if self.template in paths else f"/api/v1{self.template.removeprefix('/api')}"
        return "requestBody" in paths.get(canonical, {}).get(method, {})

    def path(self, values: Mapping[str, str]) -> str:
        return self.template.format(**values)


@cache
def every_route() -> tuple[Route, ...]:
    return tuple(_walk(get_resolver().url_patterns, "/"))


def api_routes() -> list[Route]:
    return [route for route in every_route() if not route.is_page]


def api_calls() -> list[tuple[Route, str]]:
    """Each API route with each method that it has."""
    return [(route, method) for route in api_routes() for method in route.actions]


def _walk(patterns: list[Any], prefix: str) -> Iterator[Route]:
    for pattern in patterns:
        path = prefix + str(pattern.pattern).removeprefix("^")
        if path.startswith(NOT_OURS) or path.endswith(".*$") or getattr(pattern, "callback", None) is not_found:
            continue  # the second and the third say "not found" to whatever is left
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern.url_patterns, path)
        elif isinstance(pattern, URLPattern):
            yield Route(_template(path), pattern.callback, pattern.name or "")


def _template(path: str) -> str:
    text = re.sub(r"\(\?P<(\w+)>(?:\[\^/\]\+|\.\+\?)\)", r"{\1}", path)  # our route()
    text = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", text)  # Django's path()
    text = text.removesuffix("$").removesuffix("?").rstrip("/") or "/"
    assert re.fullmatch(r"[\w{}/.-]+", text), f"Teach tests/contract/routes.py to read the route {path!r}."
    return text
