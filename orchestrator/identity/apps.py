from django.apps import AppConfig


class IdentityConfig(AppConfig):
    name = "orchestrator.identity"
    label = "identity"
