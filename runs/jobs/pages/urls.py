from orchestrator.api.routes import route
from runs.jobs.pages import views

urlpatterns = [
    route("dashboard/jobs", views.job_list, "dashboard-jobs"),
    route("dashboard/jobs/new", views.new_job, "dashboard-job-new"),
    route("dashboard/jobs/{job_id}", views.job_page, "dashboard-job"),
    route("dashboard/jobs/{job_id}/edit", views.edit_job, "dashboard-job-edit"),
    route("dashboard/jobs/{job_id}/pause", views.pause, "dashboard-job-pause"),
    route("dashboard/jobs/{job_id}/resume", views.resume, "dashboard-job-resume"),
    route("dashboard/jobs/{job_id}/trigger", views.trigger, "dashboard-job-trigger"),
    route("dashboard/jobs/{job_id}/cancel", views.cancel, "dashboard-job-cancel"),
]
