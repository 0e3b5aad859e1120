"""The dashboard's shell. Include it after every app's pages: its last route takes all of /dashboard that is left."""

from django.urls import re_path

from orchestrator.api.routes import route
from orchestrator.web import views

urlpatterns = [
    route("login", views.sign_in, "sign-in"),
    route("logout", views.sign_out, "sign-out"),
    route("dashboard", views.home, "dashboard"),
    route("dashboard/live", views.home_live, "dashboard-live"),
    re_path(r"^dashboard/.*$", views.not_found),
]
