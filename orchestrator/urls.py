"""The composition root of URLs: every app's routes under the canonical base, the seeds' other bases mounted again."""

from django.contrib import admin
from django.urls import include, path, re_path

from agents.api.urls import state_urlpatterns
from orchestrator.api.errors import not_found
from orchestrator.identity.api.urls import auth_urlpatterns
from runs.api.urls import jobs_urlpatterns, versions_urlpatterns

api_v1 = [
    path("", include("orchestrator.identity.api.urls")),
    path("", include("orchestrator.events.api.urls")),
    path("", include("agents.api.urls")),
    path("", include(state_urlpatterns)),
    path("", include("tasks.api.urls")),
    path("", include("runs.api.urls")),
    path("", include(jobs_urlpatterns)),
    path("", include(versions_urlpatterns)),  # before versioning: there a tag's name may have slashes in it
    path("", include("versioning.api.urls")),
]

urlpatterns = [
    path("api/v1/", include(api_v1)),  # first: most requests end here
    path("", include("orchestrator.api.urls")),
    path("auth/", include(auth_urlpatterns)),  # seeds 000 and 001
    path("", include("runs.api.urls")),  # seed 003 writes /runs
    path("api/", include("agents.api.urls")),  # seed 002 writes /api/agents and /api/runtime
    path("admin/", admin.site.urls),
    path("", include("runs.pages.urls")),
    path("", include("versioning.pages.urls")),
    path("", include("tasks.pages.urls")),
    path("", include("agents.pages.urls")),
    path("", include("runs.jobs.pages.urls")),
    path("", include("orchestrator.web.urls")),  # after the apps' pages: it answers all of /dashboard that is left
    re_path(r"", not_found),
]

handler400 = "orchestrator.api.errors.handler400"
handler403 = "orchestrator.api.errors.handler403"
handler500 = "orchestrator.api.errors.handler500"
