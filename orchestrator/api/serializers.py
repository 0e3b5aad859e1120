"""The base of every request body: unknown fields and wrong JSON types are refused, not dropped or converted."""

import uuid
from collections.abc import Iterator
from typing import Any

from rest_framework import serializers

from orchestrator.core.ids import parse_uuid


class IdField(serializers.UUIDField):
    """A UUID in its 36-character form; DRF's own field also takes integers, URNs and braces."""

    def to_internal_value(self, data: Any) -> uuid.UUID:
        if (found := parse_uuid(data)) is None:
            self.fail("invalid", value=data)
        return found


class StrictSerializer(serializers.Serializer):
    def to_internal_value(self, data: Any) -> Any:
        """Raises DRF's ValidationError, by field, for unknown and faulty ones together."""
        faults: dict[str, Any] = {}
        if isinstance(data, dict):
            unknown = [name for name in data if name not in self.fields]
            faults = {name: ["There is no such field."] for name in unknown}
            faults |= {name: [_WRONG[kind]] for name, kind in self._wrong_types(data)}
        try:
            value = super().to_internal_value(data)
        except serializers.ValidationError as error:
            raise serializers.ValidationError({**faults, **_by_field(error.detail)}) from error
        if faults:
            raise serializers.ValidationError(faults)
        return value

    def _wrong_types(self, data: dict[str, Any]) -> Iterator[tuple[str, type]]:
        """Fields whose value DRF would convert, as it must for HTML forms: ``5`` to ``"5"``, ``"5"`` to ``5``."""
        for name, value in data.items():
            for kind, python_type in _TYPES:
                # Not isinstance: to Python, true is an integer.
                if isinstance(self.fields.get(name), kind) and value is not None and type(value) is not python_type:
                    yield name, python_type


_TYPES = ((serializers.CharField, str), (serializers.IntegerField, int), (serializers.BooleanField, bool))
_WRONG = {str: "Must be a JSON string.", int: "Must be a JSON integer.", bool: "Must be true or false."}


def _by_field(detail: Any) -> dict[str, Any]:
    if isinstance(detail, dict):
        return {("body" if name == "non_field_errors" else str(name)): found for name, found in detail.items()}
    return {"body": detail}
