"""Read before Django's settings (pytest's ``-p``): the environment that every test run has, whatever the shell has."""

import os
import tempfile

for name in ("SECRET_KEY", "JWT_SECRET", "STUB_AUTH", "PUBLIC_ORG", "API_KEYS", "RATE_LIMIT", "RATE_LIMIT_USER"):
    os.environ.pop(name, None)
os.environ.update(
    DEBUG="false",
    SECRET_KEY="a-key-for-tests-that-is-long-enough-to-sign-tokens",
    PUBLIC_ORG="default",
    RATE_LIMIT="1000000/m",
    RATE_LIMIT_USER="1000000/m",
    RATE_LIMIT_LOGIN="1000000/m",
    LOG_LEVEL="WARNING",
    ENGINE="off",
)
if not os.environ.get("DATABASE_URL"):
    os.environ["DATABASE_PATH"] = f"{tempfile.gettempdir()}/orchestrator-tests/unused.db"
