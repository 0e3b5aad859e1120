from agents.api.logs import AgentLogViewSet, LogViewSet, SystemLogViewSet
from agents.api.viewsets import AgentViewSet, PromptViewSet, RuntimeAgentViewSet, RuntimeStateViewSet
from agents.api.work import NextViewSet
from orchestrator.api.routes import actions, route

# Mounted at /api/v1 and again at /api, where seed 002 writes them.
urlpatterns = [
    route("agents", actions(AgentViewSet, get="list", post="create"), "agents"),
    route(
        "agents/{agent_id}",
        actions(AgentViewSet, get="retrieve", put="update", patch="partial_update", delete="destroy"),
        "agent",
    ),
    route("runtime/agents", actions(RuntimeAgentViewSet, get="list", post="create"), "runtime-agents"),
    route(
        "runtime/agents/{runtime_agent_id}",
        actions(RuntimeAgentViewSet, get="retrieve", patch="partial_update"),
        "runtime-agent",
    ),
    route(
        "runtime/agents/{runtime_agent_id}/heartbeat",
        actions(RuntimeAgentViewSet, post="heartbeat"),
        "runtime-agent-heartbeat",
    ),
    route("runtime/agents/{runtime_agent_id}/stop", actions(RuntimeAgentViewSet, post="stop"), "runtime-agent-stop"),
    route("runtime/agents/{runtime_agent_id}/next", actions(NextViewSet, post="create"), "runtime-agent-next"),
    route("runtime/prompts", actions(PromptViewSet, get="list", post="create"), "prompts"),
    route("runtime/prompts/{prompt_id}", actions(PromptViewSet, get="retrieve", patch="partial_update"), "prompt"),
    route("runtime/prompts/{prompt_id}/heartbeat", actions(PromptViewSet, post="heartbeat"), "prompt-heartbeat"),
    route("runtime/logs", actions(LogViewSet, get="list", post="create"), "agent-logs"),
    route("runtime/logs/agent/{runtime_agent_id}", actions(AgentLogViewSet, get="list"), "logs-of-agent"),
    route("runtime/system-logs", actions(SystemLogViewSet, get="list"), "system-logs"),
]

# Under the canonical base only.
state_urlpatterns = [route("collab/state/agents", actions(RuntimeStateViewSet, get="list"), "agent-state")]
