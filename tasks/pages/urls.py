from orchestrator.api.routes import route
from tasks.pages import edits, views

urlpatterns = [
    route("dashboard/tasks", views.tasks, "dashboard-tasks"),
    route("dashboard/tasks/live", views.board_live, "dashboard-tasks-live"),
    route("dashboard/tasks/new", edits.new, "dashboard-task-new"),
    route("dashboard/tasks/{task_id}", views.task_page, "dashboard-task"),
    route("dashboard/tasks/{task_id}/live", views.task_live, "dashboard-task-live"),
    route("dashboard/tasks/{task_id}/edit", edits.edit, "dashboard-task-edit"),
    route("dashboard/tasks/{task_id}/move", edits.move, "dashboard-task-move"),
    route("dashboard/tasks/{task_id}/revoke", edits.revoke, "dashboard-task-revoke"),
    route("dashboard/tasks/{task_id}/delete", edits.delete, "dashboard-task-delete"),
]
