from agents.pages import acts, definitions, journal, views
from orchestrator.api.routes import route

urlpatterns = [
    route("dashboard/agents", views.grid, "dashboard-agents"),
    route("dashboard/agents/live", views.grid_live, "dashboard-agents-live"),
    route("dashboard/agents/system-log", journal.system_log, "dashboard-system-log"),
    route("dashboard/agents/definitions", definitions.definitions, "dashboard-definitions"),
    route("dashboard/agents/definitions/new", definitions.new, "dashboard-definition-new"),
    route("dashboard/agents/definitions/{agent_id}", definitions.definition_page, "dashboard-definition"),
    route("dashboard/agents/definitions/{agent_id}/edit", definitions.edit, "dashboard-definition-edit"),
    route("dashboard/agents/definitions/{agent_id}/archive", definitions.archive, "dashboard-definition-archive"),
    route("dashboard/agents/{runtime_agent_id}", views.agent_page, "dashboard-agent"),
    route("dashboard/agents/{runtime_agent_id}/live", views.agent_live, "dashboard-agent-live"),
    route("dashboard/agents/{runtime_agent_id}/prompts", views.prompts, "dashboard-agent-prompts"),
    route("dashboard/agents/{runtime_agent_id}/logs", journal.log_page, "dashboard-agent-logs"),
    route("dashboard/agents/{runtime_agent_id}/logs/live", journal.log_live, "dashboard-agent-logs-live"),
    route("dashboard/agents/{runtime_agent_id}/logs/download", journal.download, "dashboard-agent-logs-download"),
    route("dashboard/agents/{runtime_agent_id}/ask", acts.ask, "dashboard-agent-ask"),
    route("dashboard/agents/{runtime_agent_id}/stop", acts.stop, "dashboard-agent-stop"),
    route("dashboard/agents/{runtime_agent_id}/lost", acts.lost, "dashboard-agent-lost"),
    route(
        "dashboard/agents/{runtime_agent_id}/prompts/{prompt_id}/cancel", acts.cancel_prompt,
        "dashboard-prompt-cancel",
    ),
]  # fmt: skip
