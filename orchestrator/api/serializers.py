"""The base of every request body: unknown fields are refused, not dropped (CONTRACT §2)."""

from typing import Any

from rest_framework import serializers


class StrictSerializer(serializers.Serializer):
    def to_internal_value(self, data: Any) -> Any:
        """Raises DRF's ValidationError, by field, for unknown and faulty ones together."""
        faults: dict[str, Any] = {}
        if isinstance(data, dict):
            unknown = [name for name in data if name not in self.fields]
            faults = {name: ["There is no such field."] for name in unknown}
        try:
            value = super().to_internal_value(data)
        except serializers.ValidationError as error:
            raise serializers.ValidationError({**faults, **_by_field(error.detail)}) from error
        if faults:
            raise serializers.ValidationError(faults)
        return value


def _by_field(detail: Any) -> dict[str, Any]:
    if isinstance(detail, dict):
        return {("body" if name == "non_field_errors" else str(name)): found for name, found in detail.items()}
    return {"body": detail}
