from django.apps import AppConfig


class StreamsConfig(AppConfig):
    name = "orchestrator.streams"
    label = "streams"

    def ready(self) -> None:
        from orchestrator.streams import nudges

        nudges.install()
