"""The dashboard's shell. Include it after every app's pages: its last route takes all of /dashboard that is left."""

from django.urls import re_path

from orchestrator.api.routes import route
from orchestrator.web import views
from orchestrator.web.log import views as log
from orchestrator.web.settings import keys, members, organization

urlpatterns = [
    route("login", views.sign_in, "sign-in"),
    route("logout", views.sign_out, "sign-out"),
    route("dashboard", views.home, "dashboard"),
    route("dashboard/live", views.home_live, "dashboard-live"),
    route("dashboard/find", views.find, "dashboard-find"),
    route("dashboard/organization", views.switch_organization, "dashboard-organization"),
    route("dashboard/events", log.event_list, "dashboard-events"),
    route("dashboard/events/rows", log.event_rows, "dashboard-event-rows"),
    route("dashboard/events/file", log.event_file, "dashboard-event-file"),
    route("dashboard/settings", organization.index, "dashboard-settings"),
    route("dashboard/settings/members", members.members, "dashboard-members"),
    route("dashboard/settings/members/{member_id}", members.member, "dashboard-member"),
    route("dashboard/settings/members/{member_id}/remove", members.remove, "dashboard-member-remove"),
    route("dashboard/settings/keys", keys.keys, "dashboard-api-keys"),
    route("dashboard/settings/keys/new", keys.new_key, "dashboard-api-key-new"),
    route("dashboard/settings/keys/{key_id}", keys.key, "dashboard-api-key"),
    route("dashboard/settings/keys/{key_id}/revoke", keys.revoke, "dashboard-api-key-revoke"),
    route("dashboard/settings/organization", organization.organization, "dashboard-organization-settings"),
    route("dashboard/settings/organization/new", organization.new_organization, "dashboard-organization-new"),
    re_path(r"^dashboard/.*$", views.not_found),
]
