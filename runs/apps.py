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
        from runs.workflows import validation

        health.register("engine", service.check)
        validation.register()
        seeds.register(definitions.seed)
        if settings.ENGINE == "thread":
            lifespan.register(start=service.start, stop=service.stop)
