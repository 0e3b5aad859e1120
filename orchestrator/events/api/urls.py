from orchestrator.api.routes import actions, route
from orchestrator.api.schema import document_stream
from orchestrator.events.api.viewsets import EventViewSet
from orchestrator.events.views import tail

document_stream(
    "/api/v1/events/tail",
    "events_tail",
    "The org's log as it grows: `event` for each row, comments in silence.",
    {
        "once": "1 ends the stream after what is there.",
        "event": "Only events of this name.",
        "target": "Only events of this target.",
        "actor": "Only events of this actor.",
    },
)

urlpatterns = [
    route("events", actions(EventViewSet, get="list", post="create"), "events"),
    route("events/tail", tail, "events-tail"),
    route("events/{seq}", actions(EventViewSet, get="retrieve"), "event"),
]
