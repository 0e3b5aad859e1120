"""Fields of request bodies that DRF's own would convert or not bound."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

import orjson
from django.db.models import TextChoices
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from agents.models import MAX_COST, MAX_DOCUMENT
from orchestrator.core.canonical import is_exact

_MICRODOLLAR: Final = Decimal("0.000001")


class TextField(serializers.CharField):
    """A JSON string, as it was sent: nothing is trimmed, no number becomes a text."""

    def __init__(self, **options: Any) -> None:
        super().__init__(trim_whitespace=False, **options)

    def to_internal_value(self, data: Any) -> str:
        if type(data) is not str:
            self.fail("invalid")
        return super().to_internal_value(data)


class OneOf(serializers.ChoiceField):
    """One of ``choices``; another value is answered with all of them. ``noun`` names what it is."""

    def __init__(self, noun: str, choices: Sequence[TextChoices] | type[TextChoices], **options: Any) -> None:
        values = [choice.value for choice in choices]
        told = f"{{input}} is not {noun}; there are {', '.join(values)}."
        super().__init__(values, error_messages={"invalid_choice": told}, **options)


class DocumentField(serializers.DictField):
    """A JSON object of bounded size that comes back from any database as it went in."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        document: dict[str, Any] = super().to_internal_value(data)
        if fault := document_fault(document):
            raise serializers.ValidationError(fault)
        return document


@extend_schema_field(OpenApiTypes.DOUBLE)
class DollarField(serializers.Field):
    """A JSON number of dollars, rounded to a millionth: sums of floats end in digits that nobody meant."""

    default_error_messages = {"invalid": f"Must be a JSON number from 0 to {MAX_COST}."}

    def to_internal_value(self, data: Any) -> Decimal:
        if type(data) not in (int, float) or not 0 <= data <= MAX_COST:
            self.fail("invalid")
        return Decimal(repr(data)).quantize(_MICRODOLLAR)

    def to_representation(self, value: Any) -> Any:
        return value


def document_fault(document: dict[str, Any]) -> str | None:
    """What is wrong with a document that somebody wants kept, or None. The parser has looked at all but its size and
    its large floats: PostgreSQL gives 1e22 back as an integer, which JSON cannot hold exactly.
    """
    if len(orjson.dumps(document)) > MAX_DOCUMENT:
        return f"May have {MAX_DOCUMENT} bytes at most, as JSON."
    return None if is_exact(document) else "A number is beyond 2^53 - 1; send it as a string."
