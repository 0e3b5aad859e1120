import django_filters

from orchestrator.events.models import Event


class EventFilter(django_filters.FilterSet):  # type: ignore[misc, unused-ignore]
    after = django_filters.NumberFilter(
        field_name="seq", lookup_expr="gt", min_value=0, max_value=2**63 - 1, decimal_places=0
    )

    class Meta:
        model = Event
        fields = ("event", "target", "actor")
