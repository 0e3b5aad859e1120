"""Health and documentation: the routes at the root of the site."""

from django.urls import path

from orchestrator.api import docs, health
from orchestrator.api.routes import route

urlpatterns = [
    path("", health.root, name="root"),
    route("healthz", health.healthz, "healthz"),
    route("readyz", health.readyz, "readyz"),
    route("health", health.health, "health"),
    route("metrics", health.metrics, "metrics"),
    route("api/schema", docs.schema, "schema"),
    route("docs", docs.swagger, "docs"),
    route("redoc", docs.redoc, "redoc"),
]
