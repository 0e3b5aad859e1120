from django.apps import AppConfig


class StreamsConfig(AppConfig):
    name = "orchestrator.streams"
    label = "streams"
