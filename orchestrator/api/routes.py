"""Routes for both spellings of a path: no trailing slash needed, none refused, no redirect (CONTRACT §2)."""

from collections.abc import Callable
from typing import Any

from django.http.response import HttpResponseBase
from django.urls import URLPattern, re_path

SEGMENT = r"[^/]+"
NAME = r".+?"  # may have slashes in it, not at its end


def route(path: str, view: Callable[..., HttpResponseBase], name: str) -> URLPattern:
    """``path`` with ``{id}`` for one segment, ``{tag+}`` for several, with or without a slash at its end."""
    pattern = path.strip("/").replace("{", "(?P<").replace("+}", f">{NAME})").replace("}", f">{SEGMENT})")
    return re_path(rf"^{pattern}/?$", view, name=name)


def actions(viewset: Any, **methods: str) -> Callable[..., HttpResponseBase]:
    """The viewset as a view: ``actions(TaskViewSet, get="list", post="create")``."""
    view: Callable[..., HttpResponseBase] = viewset.as_view(methods)
    return view
