from orchestrator.api.routes import actions, route
from tasks.api.viewsets import LeaseViewSet, TaskViewSet

urlpatterns = [
    route("collab/state/tasks", actions(TaskViewSet, get="list"), "task-state"),
    route("collab/tasks", actions(TaskViewSet, get="list", post="create"), "tasks"),
    route(
        "collab/tasks/{task_id}",
        actions(TaskViewSet, get="retrieve", put="update", patch="partial_update", delete="destroy"),
        "task",
    ),
    route("collab/tasks/{task_id}/transition", actions(TaskViewSet, post="transition"), "task-transition"),
    route("collab/state/leases", actions(LeaseViewSet, get="list"), "lease-state"),
    route("collab/leases/acquire", actions(LeaseViewSet, post="acquire"), "lease-acquire"),
    route("collab/leases/{lease_id}", actions(LeaseViewSet, get="retrieve"), "lease"),
    *(
        route(f"collab/leases/{{lease_id}}/{action}", actions(LeaseViewSet, post=action), f"lease-{action}")
        for action in ("heartbeat", "release", "complete", "fail")
    ),
]
