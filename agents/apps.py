from django.apps import AppConfig


class AgentsConfig(AppConfig):
    name = "agents"

    def ready(self) -> None:
        from agents.services import instances
        from orchestrator.core import sweeps

        sweeps.register(instances.lose_silent)
