from django.apps import AppConfig
from django.conf import settings


class RunsConfig(AppConfig):
    name = "runs"

    def ready(self) -> None:
        from agents import work
        from agents.services import prompts, starts
        from orchestrator import lifespan
        from orchestrator.api import health
        from orchestrator.core import sweeps
        from orchestrator.identity import seeds
        from runs import definitions
        from runs.api.work import PromptSource
        from runs.engine import service
        from runs.jobs import scheduler
        from runs.models import ACTIVE_STATUSES, Run, RunPatch, RunPin
        from runs.services import asking
        from runs.workflows import validation
        from versioning import reach

        health.register("engine", service.check)
        validation.register()
        reach.register(lambda ids: Run.objects.filter(artifact__in=ids).values_list("artifact", flat=True))
        reach.register(lambda ids: Run.objects.filter(snapshot__in=ids).values_list("snapshot", flat=True))
        reach.register(lambda ids: RunPin.objects.filter(artifact__in=ids).values_list("artifact", flat=True))
        reach.register(lambda ids: RunPatch.objects.filter(base__in=ids).values_list("base_id", flat=True))
        results = RunPatch.objects.values_list("result", flat=True)
        reach.register(lambda ids: filter(None, results.filter(result__in=ids)))
        seeds.register(definitions.seed)
        sweeps.register(scheduler.sweep)
        work.register(PromptSource())
        prompts.on_end(asking.settle_prompt)
        starts.register(lambda: Run.objects.filter(status__in=ACTIVE_STATUSES))
        if settings.ENGINE == "thread":
            lifespan.register(start=service.start, stop=service.stop)
        elif settings.ENGINE == "celery":
            from runs.engine import brokered  # Celery is not loaded where it is not used

            lifespan.register(start=brokered.start, stop=brokered.stop)
