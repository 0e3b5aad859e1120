from orchestrator.api.routes import actions, route
from orchestrator.events.api.viewsets import EventViewSet

urlpatterns = [
    route("events", actions(EventViewSet, get="list", post="create"), "events"),
    route("events/{seq}", actions(EventViewSet, get="retrieve"), "event"),
]
