"""The WebSockets, by their paths."""

from channels.routing import URLRouter
from django.urls import re_path

from agents.consumers import AgentStatusConsumer

sockets = URLRouter([re_path(r"^ws/agent-status/?$", AgentStatusConsumer.as_asgi())])
