"""Read before Django's settings (pytest's ``-p``): the environment that every test run has, whatever the shell has."""

import os
import re
import tempfile

# Empty, and not removed: an empty variable also wins over a developer's .env.
for name in (
    "JWT_SECRET", "STUB_AUTH", "API_KEYS", "METRICS_TOKEN", "CORS_ORIGINS", "ALLOWED_HOSTS", "TRUSTED_PROXIES",
    "HTTP_NODE_ALLOW", "HTTP_NODE_ALLOW_PRIVATE", "LLM_BASE_URL", "LLM_API_KEY", "LLM_MODEL", "COMMAND_NODE_ALLOW",
):  # fmt: skip
    os.environ[name] = ""
os.environ.update(
    DEBUG="false",
    SECRET_KEY="a-key-for-tests-that-is-long-enough-to-sign-tokens",
    PUBLIC_ORG="default",
    RATE_LIMIT="1000000/m",
    RATE_LIMIT_USER="1000000/m",
    RATE_LIMIT_LOGIN="1000000/m",
    LOG_LEVEL="WARNING",
    ENGINE="off",
    BROKER_URL="memory://",
)
if not os.environ.get("DATABASE_URL"):
    os.environ["DATABASE_PATH"] = f"{tempfile.gettempdir()}/orchestrator-tests/unused.db"
# Parallel test processes share one Redis: each takes a database of its own, so that none clears another's counters.
if worker := re.fullmatch(r"gw(\d+)", os.environ.get("PYTEST_XDIST_WORKER", "")):
    os.environ["REDIS_URL"] = re.sub(r"/0$", f"/{worker[1]}", os.environ.get("REDIS_URL", ""))
