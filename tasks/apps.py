from django.apps import AppConfig


class TasksConfig(AppConfig):
    name = "tasks"

    def ready(self) -> None:
        from agents import work
        from agents.services import instances, retention, starts
        from orchestrator.core import sweeps
        from tasks.api.work import TaskSource
        from tasks.models import TaskLease
        from tasks.services import leases

        sweeps.register(leases.sweep)
        instances.on_departure(lambda org_id, agent_id: leases.lapse_of(leases.holder_of(agent_id), org_id))
        work.register(TaskSource())
        retention.register("leases", TaskLease.objects.ended(), made="acquired_at", ended="ended_at")
        starts.register(lambda: TaskLease.objects.active())
