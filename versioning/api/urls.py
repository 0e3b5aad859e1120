from orchestrator.api.routes import actions, route
from versioning.api.viewsets import (
    ArtifactViewSet,
    DiffViewSet,
    MergeViewSet,
    PatchViewSet,
    TagHistoryViewSet,
    TagViewSet,
    WorkflowLogViewSet,
    WorkflowViewSet,
)

# Names of tags may have slashes in them: what is asked of a tag stands before the tag itself.
urlpatterns = [
    route("workflows", actions(WorkflowViewSet, get="list", post="create"), "workflows"),
    route("workflows/{tag+}/log", actions(WorkflowLogViewSet, get="list"), "workflow-log"),
    route("workflows/{tag+}/revert", actions(WorkflowViewSet, post="revert"), "workflow-revert"),
    route("workflows/{tag+}", actions(WorkflowViewSet, get="retrieve", delete="destroy"), "workflow"),
    route("tags", actions(TagViewSet, get="list"), "tags"),
    route("tags/{tag+}/move", actions(TagViewSet, post="move"), "tag-move"),
    route("tags/{tag+}/undo", actions(TagViewSet, post="undo"), "tag-undo"),
    route("tags/{tag+}/redo", actions(TagViewSet, post="redo"), "tag-redo"),
    route("tags/{tag+}/history", actions(TagHistoryViewSet, get="list"), "tag-history"),
    route(
        "tags/{tag+}",
        actions(TagViewSet, get="retrieve", put="update", patch="partial_update", delete="destroy"),
        "tag",
    ),
    route("patches", actions(PatchViewSet, post="create"), "patches"),
    route("patches/{patch_id}", actions(PatchViewSet, get="retrieve"), "patch"),
    route("artifacts/{artifact_id}", actions(ArtifactViewSet, get="retrieve"), "artifact"),
    route("diff", actions(DiffViewSet, get="retrieve"), "diff"),
    route("merge", actions(MergeViewSet, post="create"), "merge"),
]
