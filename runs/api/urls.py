from orchestrator.api.routes import actions, route
from runs.api.viewsets import RunEventViewSet, RunViewSet
from runs.views import event_stream

urlpatterns = [
    route("runs", actions(RunViewSet, get="list", post="create"), "runs"),
    route("runs/{run_id}", actions(RunViewSet, get="retrieve"), "run"),
    route("runs/{run_id}/cancel", actions(RunViewSet, post="cancel"), "run-cancel"),
    route("runs/{run_id}/nodes", actions(RunViewSet, get="nodes"), "run-nodes"),
    route("runs/{run_id}/workflow", actions(RunViewSet, get="workflow"), "run-workflow"),
    route("runs/{run_id}/events", actions(RunEventViewSet, get="list"), "run-events"),
    route("runs/{run_id}/events/stream", event_stream, "run-events-stream"),
    route("collab/state/runs", actions(RunViewSet, get="list"), "state-runs"),
]
