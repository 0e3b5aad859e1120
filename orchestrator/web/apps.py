from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class WebConfig(AppConfig):
    name = "orchestrator.web"
    label = "web"

    def ready(self) -> None:
        """Every app may put panels on the home page: its module ``panels`` registers them, as ``admin`` does models."""
        autodiscover_modules("panels")
