from django.apps import AppConfig


class TasksConfig(AppConfig):
    name = "tasks"

    def ready(self) -> None:
        from orchestrator.core import sweeps
        from tasks.services import leases

        sweeps.register(leases.sweep)
