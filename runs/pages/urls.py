from orchestrator.api.routes import route
from runs.pages import actions, approvals, bulk, limits, listing, log, node, patches, run, start

_RUN = "dashboard/runs/{run_id}"
_NODE = f"{_RUN}/nodes/{{node}}"

urlpatterns = [
    route("dashboard/approvals", approvals.approval_list, "dashboard-approvals"),
    route("dashboard/runs", listing.run_list, "dashboard-runs"),
    route("dashboard/runs/live", listing.run_list_live, "dashboard-runs-live"),
    route("dashboard/runs/bulk", bulk.bulk_runs, "dashboard-runs-bulk"),
    route("dashboard/runs/new", start.new_run, "dashboard-run-new"),
    route(_RUN, run.run_page, "dashboard-run"),
    route(f"{_RUN}/live", run.run_live, "dashboard-run-live"),
    route(f"{_RUN}/workflow", run.run_workflow, "dashboard-run-workflow"),
    route(f"{_RUN}/log", log.run_log, "dashboard-run-log"),
    route(f"{_RUN}/log.{{form}}", log.run_log_file, "dashboard-run-log-file"),
    route(f"{_RUN}/cancel", actions.cancel, "dashboard-run-cancel"),
    route(f"{_RUN}/retry", actions.retry, "dashboard-run-retry"),
    route(f"{_RUN}/replay", actions.replay, "dashboard-run-replay"),
    route(f"{_RUN}/rerun", actions.rerun, "dashboard-run-rerun"),
    route(f"{_RUN}/fork", actions.fork, "dashboard-run-fork"),
    route(f"{_RUN}/patches", patches.run_patches, "dashboard-run-patches"),
    route(f"{_RUN}/patches/{{number}}/{{decision}}", patches.decide, "dashboard-run-patch-decide"),
    route(_NODE, node.node_page, "dashboard-run-node"),
    route(f"{_NODE}/output", node.node_output, "dashboard-run-node-output"),
    route(f"{_NODE}/approve", node.approve, "dashboard-run-approve"),
    route(f"{_NODE}/reject", node.reject, "dashboard-run-reject"),
    route("dashboard/settings/limits", limits.limits, "dashboard-limits"),
    route("dashboard/settings/limits/{organization_id}", limits.limits_of, "dashboard-limits-of"),
]
