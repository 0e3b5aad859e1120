from orchestrator.api.routes import actions, route
from orchestrator.events.api.viewsets import EventViewSet
from orchestrator.events.views import tail

urlpatterns = [
    route("events", actions(EventViewSet, get="list", post="create"), "events"),
    route("events/tail", tail, "events-tail"),
    route("events/{seq}", actions(EventViewSet, get="retrieve"), "event"),
]
