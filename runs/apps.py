from django.apps import AppConfig
from django.conf import settings


class RunsConfig(AppConfig):
    name = "runs"

    def ready(self) -> None:
        from orchestrator import lifespan
        from orchestrator.api import health
        from orchestrator.identity import seeds
        from runs import definitions
        from runs.engine import service
        from runs.models import Run
        from runs.workflows import validation
        from versioning import reach

        health.register("engine", service.check)
        validation.register()
        reach.register(lambda ids: Run.objects.filter(artifact__in=ids).values_list("artifact", flat=True))
        reach.register(lambda ids: Run.objects.filter(snapshot__in=ids).values_list("snapshot", flat=True))
        seeds.register(definitions.seed)
        if settings.ENGINE == "thread":
            lifespan.register(start=service.start, stop=service.stop)
