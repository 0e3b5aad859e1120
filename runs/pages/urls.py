from orchestrator.api.routes import route
from runs.pages import views

urlpatterns = [
    route("dashboard/runs", views.run_list, "dashboard-runs"),
    route("dashboard/runs/new", views.new_run, "dashboard-run-new"),
    route("dashboard/runs/{run_id}", views.run_page, "dashboard-run"),
    route("dashboard/runs/{run_id}/live", views.run_live, "dashboard-run-live"),
    route("dashboard/runs/{run_id}/cancel", views.cancel, "dashboard-run-cancel"),
]
