from django.apps import AppConfig


class AgentsConfig(AppConfig):
    name = "agents"

    def ready(self) -> None:
        from agents.models import RuntimeAgent
        from agents.services import instances, prompt_leases, starts
        from orchestrator import lifespan
        from orchestrator.core import sweeps
        from orchestrator.identity import bindings

        sweeps.register(instances.lose_silent)
        sweeps.register(prompt_leases.sweep)
        instances.on_departure(prompt_leases.let_go)
        bindings.register(instances.fault_of)
        starts.register(lambda: RuntimeAgent.objects.live())
        lifespan.register(start=starts.start, stop=starts.stop)
