"""OpenAPI: what drf-spectacular cannot see by itself."""

from typing import Any

from drf_spectacular.openapi import AutoSchema as SpectacularSchema


class AutoSchema(SpectacularSchema):
    pass


def canonical_paths_only(endpoints: list[Any]) -> list[Any]:
    return endpoints


def add_error_answers(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    return result
