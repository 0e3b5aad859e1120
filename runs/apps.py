from django.apps import AppConfig
from django.conf import settings


class RunsConfig(AppConfig):
    name = "runs"

    def ready(self) -> None:
        from orchestrator import lifespan
        from orchestrator.api import health
        from runs.engine import service

        health.register("engine", service.check)
        if settings.ENGINE == "thread":
            lifespan.register(start=service.start, stop=service.stop)
