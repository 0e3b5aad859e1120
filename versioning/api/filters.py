"""The query parameters of the tag and workflow lists."""

import django_filters
from django.db.models import QuerySet
from django.db.models.functions import Left

from versioning.models import Tag


class TagFilter(django_filters.FilterSet):  # type: ignore[misc, unused-ignore]
    prefix = django_filters.CharFilter(method="begins", max_length=200, help_text="The beginning of the name.")
    protected = django_filters.TypedChoiceFilter(
        choices=(("true", "true"), ("false", "false")), coerce=lambda text: text == "true"
    )

    def begins(self, rows: QuerySet[Tag], name: str, value: str) -> QuerySet[Tag]:
        """Not __startswith: SQLite's LIKE takes capitals for small letters."""
        return rows.alias(beginning=Left("name", len(value))).filter(beginning=value)
