from datetime import UTC, datetime

import django_filters
from django.core.exceptions import ValidationError

from runs.models import Run, RunEvent, RunNode
from runs.states import NodeStatus, RunStatus


def check_moment(moment: datetime) -> None:
    """Raises ValidationError for a time that is before or after all times in UTC, in which a database keeps them."""
    try:
        moment.astimezone(UTC)
    except OverflowError as error:
        raise ValidationError("There is no such time in UTC.") from error


class RunFilter(django_filters.FilterSet):
    status = django_filters.ChoiceFilter(choices=RunStatus.choices)
    created_after = django_filters.IsoDateTimeFilter(
        field_name="created_at", lookup_expr="gt", validators=[check_moment]
    )
    forked_from = django_filters.UUIDFilter(label="The run that it does again.")
    q = django_filters.CharFilter(field_name="inputs__prompt", lookup_expr="icontains", label="Text within the prompt.")

    class Meta:
        model = Run
        fields = ("workflow",)


class ItemFilter(django_filters.FilterSet):
    status = django_filters.ChoiceFilter(choices=NodeStatus.choices)

    class Meta:
        model = RunNode
        fields = ()


class RunEventFilter(django_filters.FilterSet):
    after = django_filters.NumberFilter(
        field_name="sequence", lookup_expr="gt", min_value=-1, max_value=2**31 - 1, decimal_places=0
    )

    class Meta:
        model = RunEvent
        fields = ("node", "phase")
