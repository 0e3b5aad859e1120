"""Django's settings.

Every value that an operator may change is read from the environment here, once, and checked there.
"""

from datetime import timedelta

from orchestrator import __version__
from orchestrator.environment import BASE_DIR, Environment, broker_url, database, redis_url
from orchestrator.logs import logging_config

env = Environment()

# --- safety ---------------------------------------------------------------------------------------------------------
DEBUG = env.flag("DEBUG", default=False)
DEVELOPMENT_KEY = "development-only-key-never-use-it-where-others-can-reach-it"
SECRET_KEY = env.text("SECRET_KEY", default=DEVELOPMENT_KEY if DEBUG else "")
if not SECRET_KEY:
    env.refuse("SECRET_KEY", "must be set (50 random characters or more) unless DEBUG=true.")
JWT_SECRET = env.text("JWT_SECRET", default=SECRET_KEY)
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", default="localhost,127.0.0.1,[::1]")
STUB_AUTH = env.flag("STUB_AUTH", default=False)
if STUB_AUTH and not DEBUG:
    env.refuse("STUB_AUTH", "lets everybody in without a password; it needs DEBUG=true.")
CSRF_TRUSTED_ORIGINS = env.origins("CSRF_TRUSTED_ORIGINS", default="")
# How many reverse proxies of ours stand in front: client addresses are counted from the right of X-Forwarded-For.
TRUSTED_PROXIES = env.integer("TRUSTED_PROXIES", default=0, low=0, high=10)
if TRUSTED_PROXIES:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = env.flag("SECURE_COOKIES", default=False)
SESSION_COOKIE_SAMESITE = "Lax"
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

# --- serving --------------------------------------------------------------------------------------------------------
HOST = env.text("HOST", default="127.0.0.1")
PORT = env.integer("PORT", "SERVICE_PORT", "WEBSOCKET_PORT", default=8000, low=1, high=65535)
SERVER = env.choice("SERVER", "uvicorn", ("uvicorn", "granian", "daphne"))
SHUTDOWN_SECONDS = env.integer("SHUTDOWN_SECONDS", default=5, low=1, high=300)
REQUEST_TIMEOUT_SECONDS = env.seconds("REQUEST_TIMEOUT_SECONDS", default=6, low=1, high=300)

# --- data -----------------------------------------------------------------------------------------------------------
DATABASES = {"default": database(env)}
ON_SQLITE = DATABASES["default"]["ENGINE"] == "orchestrator.core.sqlite"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
REDIS_URL = redis_url(env)
# One thread a request in turn: on SQLite two are the most that its single writer rewards (docs/performance.md).
WEB_THREADS = env.integer("WEB_THREADS", default=2 if ON_SQLITE else 4, low=1, high=64)
CACHES = {
    "default": (
        {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": REDIS_URL,
            "KEY_PREFIX": "orchestrator",
            # A Redis that hangs must not hang a request.
            "OPTIONS": {"socket_timeout": 2, "socket_connect_timeout": 2},
        }
        if REDIS_URL
        else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "OPTIONS": {"MAX_ENTRIES": 100_000}}
    )
}
CHANNEL_LAYERS = {
    "default": (
        {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer", "CONFIG": {"hosts": [REDIS_URL]}}
        if REDIS_URL
        else {"BACKEND": "channels.layers.InMemoryChannelLayer", "CONFIG": {"capacity": 10_000}}
    )
}

# --- apps -----------------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "daphne",
    "orchestrator.api.apps.OperatorsConfig",  # django.contrib.admin, with our site
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.forms",
    "rest_framework",
    "corsheaders",
    "channels",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "orchestrator.identity",
    "orchestrator.events",
    "orchestrator.api",
    "orchestrator.streams",
    "orchestrator.web",
    "versioning",
    "agents",
    "tasks",
    "runs",
]
MIDDLEWARE = [
    "orchestrator.api.middleware.RequestMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "orchestrator.web.middleware.PagePolicyMiddleware",
]
ROOT_URLCONF = "orchestrator.urls"
ASGI_APPLICATION = "orchestrator.asgi.application"
WSGI_APPLICATION = "orchestrator.wsgi.application"
APPEND_SLASH = False
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "orchestrator.web.context.page",
            ],
        },
    },
]
STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True
DATA_UPLOAD_MAX_MEMORY_SIZE = 4 * 1024 * 1024
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "object-src": ["'none'"],
        "base-uri": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    },
}

# --- identity -------------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "identity.User"
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
LOGIN_URL = "/login"
LOGIN_REDIRECT_URL = "/dashboard"
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
SIMPLE_JWT = {
    "ALGORITHM": "HS256",
    "SIGNING_KEY": JWT_SECRET,
    "ISSUER": "orchestrator",
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=env.integer("JWT_EXPIRE_MINUTES", default=60, low=1, high=60 * 24)),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=env.integer("JWT_REFRESH_DAYS", default=14, low=1, high=365)),
    "USER_ID_FIELD": "id",
    "USER_ID_CLAIM": "user_id",
}
API_KEYS = env.words("API_KEYS")
if any(len(key) < 16 for key in API_KEYS):
    env.refuse("API_KEYS", "must list keys of 16 characters or more, separated by commas.")
# The org (slug or id) whose task list anonymous callers may read, and in which the keys of API_KEYS act.
PUBLIC_ORG = env.text("PUBLIC_ORG", default="default" if DEBUG else "")
DEV_USER_EMAIL = env.text("DEV_USER_EMAIL", default="dev@example.com")
DEV_USER_PASSWORD = env.text("DEV_USER_PASSWORD", default="password")
if "@" not in DEV_USER_EMAIL:
    env.refuse("DEV_USER_EMAIL", f"must be an e-mail address, not {DEV_USER_EMAIL!r}.")

# --- the API --------------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["orchestrator.api.authentication.ActorAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["orchestrator.api.permissions.HasScope"],
    "DEFAULT_PARSER_CLASSES": ["orchestrator.api.parsers.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": [
        "orchestrator.api.renderers.JSONRenderer",
        "orchestrator.api.renderers.BrowsableRenderer",
    ],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "orchestrator.api.renderers.Negotiation",
    "DEFAULT_THROTTLE_CLASSES": ["orchestrator.api.throttles.NamedRateThrottle"],
    "DEFAULT_SCHEMA_CLASS": "orchestrator.api.schema.AutoSchema",
    "EXCEPTION_HANDLER": "orchestrator.api.errors.exception_handler",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Orchestrator",
    "DESCRIPTION": "One place that says what is to be done, who is doing it, and what every run did, step by step.",
    "VERSION": __version__,
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PUBLIC": True,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "PREPROCESSING_HOOKS": ["orchestrator.api.schema.canonical_paths_only"],
    "POSTPROCESSING_HOOKS": [
        "orchestrator.api.schema.add_streams",
        "orchestrator.api.schema.add_error_answers",
    ],
}
RATE_LIMIT = env.rate("RATE_LIMIT", default="60/m")
RATE_LIMIT_USER = env.rate("RATE_LIMIT_USER", default="1200/m")
RATE_LIMIT_LOGIN = env.rate("RATE_LIMIT_LOGIN", default="5/m")
RATELIMIT_USE_CACHE = "default"
CORS_ALLOWED_ORIGINS = env.origins(
    "CORS_ORIGINS", default="http://localhost:3001,http://localhost:5173,http://127.0.0.1:5173"
)
CORS_ALLOW_HEADERS = (
    "accept", "authorization", "content-type", "if-match", "if-none-match", "idempotency-key", "last-event-id",
    "x-api-key", "x-csrftoken", "x-request-id",
)  # fmt: skip
CORS_EXPOSE_HEADERS = ("ETag", "Location", "Retry-After", "X-Request-ID", "Idempotent-Replayed")
METRICS_TOKEN = env.text("METRICS_TOKEN")

# --- streams and runs -----------------------------------------------------------------------------------------------
SSE_HEARTBEAT_SECONDS = env.seconds("SSE_HEARTBEAT_SECONDS", default=15, low=0.05, high=300)
STREAM_RECHECK_SECONDS = env.seconds("STREAM_RECHECK_SECONDS", default=30, low=0.05, high=30)
ENGINE = env.choice("ENGINE", "thread", ("thread", "celery", "off"))
BROKER_URL = broker_url(env, default=REDIS_URL)
if ENGINE == "celery" and not BROKER_URL:
    env.refuse("ENGINE", "is celery: that needs BROKER_URL or REDIS_URL.")
ENGINE_WORKERS = env.integer("ENGINE_WORKERS", default=2, low=1, high=64)
LEASE_SECONDS = env.integer("LEASE_SECONDS", default=30, low=1, high=3600)
AGENT_TIMEOUT_SECONDS = env.integer("AGENT_TIMEOUT_SECONDS", default=60, low=2, high=86400)
SWEEP_SECONDS = env.seconds("SWEEP_SECONDS", default=1, low=0.05, high=60)
# How long a node may take to stop by itself when its run is cancelled.
CANCEL_GRACE_SECONDS = env.integer("CANCEL_GRACE_SECONDS", default=10, low=0, high=3600)
# How many runs of an organization may go on at once, where it has no limit of its own; 0: any number.
ORG_MAX_RUNNING = env.integer("ORG_MAX_RUNNING", default=0, low=0, high=10_000)
# A pause before every node, to watch a run at human speed.
RUN_PACE_SECONDS = env.seconds("RUN_PACE_SECONDS", default=0, low=0, high=60)

# --- nodes that reach outside (runs/nodes) --------------------------------------------------------------------------
HTTP_NODE_ALLOW = env.hosts("HTTP_NODE_ALLOW")
HTTP_NODE_ALLOW_PRIVATE = env.networks("HTTP_NODE_ALLOW_PRIVATE")
LLM_BASE_URL = env.url("LLM_BASE_URL")
LLM_API_KEY = env.text("LLM_API_KEY")
LLM_MODEL = env.text("LLM_MODEL")
COMMAND_NODE_ALLOW = env.programs("COMMAND_NODE_ALLOW")
NODE_SECRETS = env.secrets()

LOGGING = logging_config(
    level=env.choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")), human=DEBUG
)
