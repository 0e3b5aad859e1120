from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "orchestrator.api"
    label = "api"

    def ready(self) -> None:
        from orchestrator import checks

        checks.install()
