import re

import django_filters
from django.db.models import QuerySet

from runs.jobs.models import MAX_NAME, Job, JobFire
from runs.jobs.states import FireStatus, JobStatus


class JobFilter(django_filters.FilterSet):
    status = django_filters.ChoiceFilter(choices=JobStatus.choices)
    name = django_filters.CharFilter(max_length=MAX_NAME, strip=False)
    q = django_filters.CharFilter(method="mentioning", max_length=MAX_NAME, label="Text within the name, in any case.")

    class Meta:
        model = Job
        fields = ("workflow",)

    def mentioning(self, rows: QuerySet[Job], name: str, value: str) -> QuerySet[Job]:
        # A regular expression, because SQLite's LIKE knows only the case of ASCII letters; its REGEXP is Python's.
        return rows.filter(name__iregex=re.escape(value))


class JobFireFilter(django_filters.FilterSet):
    status = django_filters.ChoiceFilter(choices=FireStatus.choices)

    class Meta:
        model = JobFire
        fields = ()
