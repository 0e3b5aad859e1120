from django.apps import AppConfig


class TasksConfig(AppConfig):
    name = "tasks"

    def ready(self) -> None:
        from agents.services import instances
        from orchestrator.core import sweeps
        from tasks.services import leases

        sweeps.register(leases.sweep)
        instances.on_departure(lambda org_id, agent_id: leases.lapse_of(leases.holder_of(agent_id), org_id))
