from django.urls import include, path

from orchestrator.api.routes import actions, route
from orchestrator.identity.api import viewsets

# Mounted twice: /auth (the seeds) and /api/v1/auth (canonical).
auth_urlpatterns = [
    route("login", actions(viewsets.SignInViewSet, post="login"), "login"),
    route("refresh", actions(viewsets.SignInViewSet, post="refresh"), "refresh"),
    route("logout", actions(viewsets.SignInViewSet, post="logout"), "logout"),
    route("ticket", actions(viewsets.TicketViewSet, post="create"), "ticket"),
    route("me", actions(viewsets.MeViewSet, get="retrieve"), "me"),
]

_key = actions(viewsets.ApiKeyViewSet, get="retrieve", delete="destroy")
_member = actions(viewsets.MemberViewSet, get="retrieve", patch="partial_update", delete="destroy")

urlpatterns = [
    path("auth/", include(auth_urlpatterns)),
    route("api-keys", actions(viewsets.ApiKeyViewSet, get="list", post="create"), "api-keys"),
    route("api-keys/{key_id}", _key, "api-key"),
    route("api-keys/{key_id}/revoke", actions(viewsets.ApiKeyViewSet, post="revoke"), "api-key-revoke"),
    route("members", actions(viewsets.MemberViewSet, get="list", post="create"), "members"),
    route("members/{member_id}", _member, "member"),
    route("organizations", actions(viewsets.OrganizationViewSet, get="list", post="create"), "organizations"),
    route("organizations/{organization_id}", actions(viewsets.OrganizationViewSet, get="retrieve"), "organization"),
]
