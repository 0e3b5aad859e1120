"""The query parameters of the tag and workflow lists."""

import django_filters


class TagFilter(django_filters.FilterSet):  # type: ignore[misc, unused-ignore]
    prefix = django_filters.CharFilter(
        field_name="name", lookup_expr="startswith", max_length=200, help_text="The beginning of the name."
    )
    protected = django_filters.BooleanFilter()
