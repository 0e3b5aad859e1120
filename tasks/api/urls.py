from orchestrator.api.routes import actions, route
from tasks.api.viewsets import TaskViewSet

urlpatterns = [
    route("collab/state/tasks", actions(TaskViewSet, get="list"), "task-state"),
    route("collab/tasks", actions(TaskViewSet, get="list", post="create"), "tasks"),
    route(
        "collab/tasks/{task_id}",
        actions(TaskViewSet, get="retrieve", put="update", patch="partial_update", delete="destroy"),
        "task",
    ),
    route("collab/tasks/{task_id}/transition", actions(TaskViewSet, post="transition"), "task-transition"),
]
