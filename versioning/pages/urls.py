from orchestrator.api.routes import route
from versioning.pages import differences, editing, history, merging, moves, views

# Names of tags may have slashes in them: what is asked of a tag stands before the tag itself.
urlpatterns = [
    route("dashboard/workflows", views.workflow_list, "dashboard-workflows"),
    route("dashboard/workflows/new", views.new_workflow, "dashboard-workflow-new"),
    route("dashboard/workflows/{tag+}/branch", moves.branch, "dashboard-workflow-branch"),
    route("dashboard/workflows/{tag+}/delete", moves.delete, "dashboard-workflow-delete"),
    route("dashboard/workflows/{tag+}/diff", differences.diff_page, "dashboard-workflow-diff"),
    route("dashboard/workflows/{tag+}/download", views.download, "dashboard-workflow-download"),
    route("dashboard/workflows/{tag+}/edit", editing.edit, "dashboard-workflow-edit"),
    route("dashboard/workflows/{tag+}/history", history.history_page, "dashboard-workflow-history"),
    route("dashboard/workflows/{tag+}/merge", merging.merge_page, "dashboard-workflow-merge"),
    route("dashboard/workflows/{tag+}/page", views.workflow_page, "dashboard-workflow-page"),
    route("dashboard/workflows/{tag+}/promote", moves.promote, "dashboard-workflow-promote"),
    route("dashboard/workflows/{tag+}/redo", moves.redo, "dashboard-workflow-redo"),
    route("dashboard/workflows/{tag+}/undo", moves.undo, "dashboard-workflow-undo"),
    route("dashboard/workflows/{tag+}", views.workflow_page, "dashboard-workflow"),
    route("dashboard/versions/{artifact_id}", views.version_page, "dashboard-version"),
]
