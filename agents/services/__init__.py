"""Every state change of agents: one function each, with an actor, an event and one transaction.

Events are of the kinds ``agents`` (definitions), ``runtime_agents``, ``prompts``, ``agent_logs`` and ``system_logs``:
what watchers of agents are told, the log of the org says.
"""
