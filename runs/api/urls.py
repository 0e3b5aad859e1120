from orchestrator.api.routes import actions, route
from orchestrator.api.schema import document_stream
from runs.api.schemas import SchemaViewSet
from runs.api.usage import ArtifactRunsViewSet, WorkflowRunsViewSet
from runs.api.viewsets import RunEventViewSet, RunViewSet
from runs.views import event_stream

document_stream(
    "/api/v1/runs/{run_id}/events/stream",
    "runs_events_stream",
    "A run as it happens: `run_event`, `heartbeat` in silence, then `done` once.",
    {"last_ts": "The time of the last event that you have."},
)

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

# Under the canonical base only: seed 003's other mount is of runs.
versions_urlpatterns = [
    route("schemas/workflow", actions(SchemaViewSet, get="workflow"), "schema-workflow"),
    route("workflows/{tag+}/runs", actions(WorkflowRunsViewSet, get="list"), "workflow-runs"),
    route("artifacts/{artifact_id}/runs", actions(ArtifactRunsViewSet, get="list"), "artifact-runs"),
]
