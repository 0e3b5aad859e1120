from orchestrator.api.routes import actions, route
from orchestrator.api.schema import document_stream
from runs.api.bulk import BulkRunViewSet
from runs.api.forks import ForkViewSet
from runs.api.limits import LimitsViewSet
from runs.api.patches import RunPatchViewSet
from runs.api.schemas import SchemaViewSet
from runs.api.usage import ArtifactRunsViewSet, WorkflowRunsViewSet
from runs.api.viewsets import ItemViewSet, RunEventViewSet, RunViewSet
from runs.jobs.api.viewsets import JobFireViewSet, JobViewSet
from runs.views import event_stream

document_stream(
    "/api/v1/runs/{run_id}/events/stream",
    "runs_events_stream",
    "A run as it happens: `run_event`, `heartbeat` in silence, then `done` once.",
    {"last_ts": "The time of the last event that you have."},
)

urlpatterns = [
    route("runs", actions(RunViewSet, get="list", post="create"), "runs"),
    # Before the routes of one run: no run is called "bulk".
    route("runs/bulk/cancel", actions(BulkRunViewSet, post="cancel"), "runs-bulk-cancel"),
    route("runs/bulk/retry", actions(BulkRunViewSet, post="retry"), "runs-bulk-retry"),
    route("runs/{run_id}", actions(RunViewSet, get="retrieve"), "run"),
    route("runs/{run_id}/cancel", actions(RunViewSet, post="cancel"), "run-cancel"),
    route("runs/{run_id}/retry", actions(ForkViewSet, post="retry"), "run-retry"),
    route("runs/{run_id}/replay", actions(ForkViewSet, post="replay"), "run-replay"),
    route("runs/{run_id}/rerun", actions(ForkViewSet, post="rerun"), "run-rerun"),
    route("runs/{run_id}/fork", actions(ForkViewSet, post="fork"), "run-fork"),
    route("runs/{run_id}/patches", actions(RunPatchViewSet, get="list", post="create"), "run-patches"),
    route("runs/{run_id}/patches/{number}", actions(RunPatchViewSet, get="retrieve"), "run-patch"),
    route("runs/{run_id}/patches/{number}/accept", actions(RunPatchViewSet, post="accept"), "run-patch-accept"),
    route("runs/{run_id}/patches/{number}/reject", actions(RunPatchViewSet, post="reject"), "run-patch-reject"),
    route("runs/{run_id}/patches/{number}/revert", actions(RunPatchViewSet, post="revert"), "run-patch-revert"),
    route("runs/{run_id}/nodes", actions(RunViewSet, get="nodes"), "run-nodes"),
    route("runs/{run_id}/nodes/{node}/items", actions(ItemViewSet, get="list"), "run-node-items"),
    route("runs/{run_id}/nodes/{node}/output", actions(RunViewSet, get="output"), "run-node-output"),
    route("runs/{run_id}/nodes/{node}/approve", actions(RunViewSet, post="approve"), "run-node-approve"),
    route("runs/{run_id}/nodes/{node}/reject", actions(RunViewSet, post="reject"), "run-node-reject"),
    route("runs/{run_id}/workflow", actions(RunViewSet, get="workflow"), "run-workflow"),
    route("runs/{run_id}/events", actions(RunEventViewSet, get="list"), "run-events"),
    route("runs/{run_id}/events/stream", event_stream, "run-events-stream"),
    route("collab/state/runs", actions(RunViewSet, get="list"), "state-runs"),
]

# Under the canonical base only: seed 003's other mount is of runs.
versions_urlpatterns = [
    route("limits", actions(LimitsViewSet, get="retrieve", put="update"), "limits"),
    route("schemas/workflow", actions(SchemaViewSet, get="workflow"), "schema-workflow"),
    route("schemas/node-types", actions(SchemaViewSet, get="node_types"), "schema-node-types"),
    route("workflows/{tag+}/runs", actions(WorkflowRunsViewSet, get="list"), "workflow-runs"),
    route("artifacts/{artifact_id}/runs", actions(ArtifactRunsViewSet, get="list"), "artifact-runs"),
]

# Under the canonical base only.
jobs_urlpatterns = [
    route("jobs", actions(JobViewSet, get="list", post="create"), "jobs"),
    route("jobs/{job_id}", actions(JobViewSet, get="retrieve", patch="partial_update"), "job"),
    route("jobs/{job_id}/cancel", actions(JobViewSet, post="cancel"), "job-cancel"),
    route("jobs/{job_id}/pause", actions(JobViewSet, post="pause"), "job-pause"),
    route("jobs/{job_id}/resume", actions(JobViewSet, post="resume"), "job-resume"),
    route("jobs/{job_id}/trigger", actions(JobViewSet, post="trigger"), "job-trigger"),
    route("jobs/{job_id}/fires", actions(JobFireViewSet, get="list"), "job-fires"),
]
