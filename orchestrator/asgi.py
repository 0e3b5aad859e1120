import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orchestrator.settings")
django.setup()

from django.core.handlers.asgi import ASGIHandler  # noqa: E402

application = ASGIHandler()
