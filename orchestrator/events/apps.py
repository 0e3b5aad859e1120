from django.apps import AppConfig


class EventsConfig(AppConfig):
    name = "orchestrator.events"
    label = "events"

    def ready(self) -> None:
        from orchestrator.events import services
        from orchestrator.identity import journal

        journal.register(services.record)
