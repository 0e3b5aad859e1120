from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps


class ApiConfig(AppConfig):
    name = "orchestrator.api"
    label = "api"
    default = True

    def ready(self) -> None:
        from orchestrator import checks

        checks.install()


class OperatorsConfig(admin_apps.AdminConfig):
    """Django's admin, as our own site."""

    default = False
    default_site = "orchestrator.api.admin_site.OperatorSite"
