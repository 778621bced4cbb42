"""Settings; every one that a lab may want to change reads an environment variable.

`docs/settings.md` lists them.
"""

import os
from pathlib import Path
from typing import Any

import dj_database_url
from csp.constants import NONE, SELF, UNSAFE_INLINE
from django.utils.translation import gettext_lazy as _

from portal.secrets import Unshown, secret_from_file

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = Path(os.environ.get("MLMD_VAR", BASE_DIR / "var")).resolve()
VAR_DIR.mkdir(parents=True, exist_ok=True)


def flag(name: str, default: bool) -> bool:
    return os.environ.get(name, str(default)).lower() in {"1", "true", "yes", "on"}


DEBUG = flag("MLMD_DEBUG", False)
SECRET_KEY = os.environ.get("MLMD_SECRET_KEY") or secret_from_file(VAR_DIR / "secret_key")
# Encrypts what the portal signs in to clusters with; never in the database or its backups.
CREDENTIAL_KEY = os.environ.get("MLMD_CREDENTIAL_KEY") or secret_from_file(
    VAR_DIR / "credential_key"
)
ALLOWED_HOSTS = os.environ.get("MLMD_ALLOWED_HOSTS", "127.0.0.1,localhost,[::1]").split(",")
CSRF_TRUSTED_ORIGINS = [o for o in os.environ.get("MLMD_ORIGINS", "").split(",") if o]
HTTPS = flag("MLMD_HTTPS", False)

INSTALLED_APPS = [
    "portal",
    "potentials",
    "datasets",
    "jobs",
    "labs",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.sessions",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "axes",
    "csp",
    "django_filters",
    "drf_spectacular",
    "rest_framework",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "labs.middleware.ActiveLabMiddleware",
    "axes.middleware.AxesMiddleware",
    "portal.middleware.DocumentsAwayMiddleware",
]

ROOT_URLCONF = "portal.urls"
WSGI_APPLICATION = "portal.wsgi.application"
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
                "csp.context_processors.nonce",
                "portal.context.site",
                "jobs.context.running_jobs",
                "jobs.context.unread_notices",
            ],
        },
    }
]

# --- storage ---------------------------------------------------------------------------------
DATABASES: dict[str, dict[str, Any]] = {
    "default": dict(
        dj_database_url.parse(
            os.environ.get("DATABASE_URL", f"sqlite:///{VAR_DIR / 'portal.sqlite3'}"),
            conn_max_age=60,
        )
    )
}
if "sqlite" in DATABASES["default"]["ENGINE"]:
    # WAL lets pages read while a worker writes; IMMEDIATE takes the write lock where it can wait.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 30,
        "init_command": (
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; "
            "PRAGMA cache_size=-65536; PRAGMA mmap_size=268435456;"
        ),
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# Documents of teacher data; empty for the database above. May hold a password: never shown.
MLMD_TEACHER_URL = Unshown(os.environ.get("MLMD_TEACHER_URL", ""))
MEDIA_ROOT = VAR_DIR / "media"
DOWNLOADS_DIR = VAR_DIR / "downloads"  # made again when needed; may be deleted at any time
CATALOG_DIR = VAR_DIR / "catalog"  # derived from the database; may be deleted at any time
JOBS_DIR = VAR_DIR / "jobs"  # the site's copy of every job's files
LOCAL_CLUSTER_DIR = VAR_DIR / "local-cluster"  # work folder of the cluster `local`
PSEUDO_DIR = VAR_DIR / "pseudo"  # UPF files, copied into each run that needs them
MLMD_LEASE_SECONDS = float(os.environ.get("MLMD_LEASE_SECONDS", 30))
MLMD_WORKER_PROCESSES = int(os.environ.get("MLMD_WORKER_PROCESSES", 3))
# Workers that may turn to one cluster at a time, beside the one that looks at its queue.
MLMD_STEPS_PER_CLUSTER = int(
    os.environ.get("MLMD_STEPS_PER_CLUSTER", max(1, MLMD_WORKER_PROCESSES - 2))
)
FILE_UPLOAD_TEMP_DIR = None
FILE_UPLOAD_PERMISSIONS = 0o640
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024**2
MLMD_VALIDATE = flag("MLMD_VALIDATE", True)  # potentials by themselves when they come in
MLMD_OPTIMADE = flag("MLMD_OPTIMADE", True)
MLMD_MAX_UPLOAD_BYTES = int(os.environ.get("MLMD_MAX_UPLOAD_BYTES", 2 * 1024**3))
# Files of published versions are kept up to this size together; the least used go first.
MLMD_DOWNLOADS_BYTES = int(os.environ.get("MLMD_DOWNLOADS_BYTES", 20 * 1024**3))
MLMD_MAX_EXPANDED_BYTES = int(os.environ.get("MLMD_MAX_EXPANDED_BYTES", 20 * 1024**3))
# The process that reads one upload: address space, and seconds of processor time.
MLMD_PARSE_MEMORY_BYTES = int(os.environ.get("MLMD_PARSE_MEMORY_BYTES", 4 * 1024**3))
MLMD_PARSE_SECONDS = int(os.environ.get("MLMD_PARSE_SECONDS", 1800))

# --- Celery ----------------------------------------------------------------------------------
CELERY_BROKER_URL = os.environ.get("CELERY_BROKER_URL", "filesystem://")
if CELERY_BROKER_URL == "filesystem://":
    _queue = VAR_DIR / "broker"
    for _part in ("messages", "processed", "control"):
        (_queue / _part).mkdir(parents=True, exist_ok=True)
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(_queue / "messages"),
        "data_folder_out": str(_queue / "messages"),
        "processed_folder": str(_queue / "processed"),
        "control_folder": str(_queue / "control"),
        "store_processed": False,
        "polling_interval": 0.1,
    }
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE = {
    "jobs-sweep": {
        "task": "jobs.tasks.sweep",
        "schedule": float(os.environ.get("MLMD_SWEEP_SECONDS", 2)),
        "options": {"expires": 10},
    },
    "jobs-mail": {
        "task": "jobs.tasks.mail",
        "schedule": 15.0,
        "options": {"expires": 30},
    },
    "datasets-planner": {
        "task": "datasets.tasks.refresh_planner",
        "schedule": 600.0,
        "options": {"expires": 300},
    },
    "datasets-documents": {
        "task": "datasets.tasks.sweep_documents",
        "schedule": 6 * 3600.0,
        "options": {"expires": 3600},
    },
    "datasets-sweep": {
        "task": "datasets.tasks.sweep",
        "schedule": 5.0,
        "options": {"expires": 10},
    },
}

# --- people ----------------------------------------------------------------------------------
AUTH_USER_MODEL = "labs.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "labs:sign-in"
LOGIN_REDIRECT_URL = "portal:home"
LOGOUT_REDIRECT_URL = "labs:sign-in"
AXES_FAILURE_LIMIT = 8
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_USERNAME_CALLABLE = "labs.throttle.address_tried"
AXES_LOCKOUT_TEMPLATE = "labs/locked_out.html"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
EMAIL_BACKEND = os.environ.get(
    "MLMD_EMAIL_BACKEND", "django.core.mail.backends.filebased.EmailBackend"
)
EMAIL_FILE_PATH = VAR_DIR / "mail"
EMAIL_HOST = os.environ.get("MLMD_EMAIL_HOST", "localhost")
EMAIL_PORT = int(os.environ.get("MLMD_EMAIL_PORT", 25))
EMAIL_TIMEOUT = 20  # s; a mail server that hangs must not hold a worker
MLMD_MAIL_GATHER_SECONDS = float(os.environ.get("MLMD_MAIL_GATHER_SECONDS", 60))
# Where people reach the site; links in mail begin with it.
MLMD_ADDRESS = os.environ.get(
    "MLMD_ADDRESS", f"http://{os.environ.get('MLMD_BIND', '127.0.0.1:8000')}"
).rstrip("/")
DEFAULT_FROM_EMAIL = os.environ.get("MLMD_EMAIL_FROM", "portal@localhost")

# --- security --------------------------------------------------------------------------------
SECURE_SSL_REDIRECT = HTTPS
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
CSRF_FAILURE_VIEW = "portal.errors.csrf_failure"
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
if flag("MLMD_BEHIND_PROXY", False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF, UNSAFE_INLINE],  # Plotly writes style attributes
        "img-src": [SELF, "data:", "blob:"],
        "font-src": [SELF, "data:"],
        "connect-src": [SELF],
        "worker-src": [SELF, "blob:"],
        "frame-ancestors": [NONE],
        "form-action": [SELF],
        "base-uri": [NONE],
        "object-src": [NONE],
    }
}

# --- words -----------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("ja", _("Japanese"))]
LOCALE_PATHS = [BASE_DIR / "portal" / "locale"]
TIME_ZONE = os.environ.get("MLMD_TIME_ZONE", "Asia/Tokyo")
USE_I18N = True
USE_TZ = True

# --- front end -------------------------------------------------------------------------------
STATIC_URL = "static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
WHITENOISE_MANIFEST_STRICT = False
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

# --- API -------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "labs.authentication.BearerTokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["labs.permissions.HasScope"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PAGINATION_CLASS": "labs.pagination.Pages",
    "PAGE_SIZE": 50,
    "DEFAULT_FILTER_BACKENDS": [
        "django_filters.rest_framework.DjangoFilterBackend",
        "rest_framework.filters.OrderingFilter",
    ],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_THROTTLE_CLASSES": ["rest_framework.throttling.UserRateThrottle"],
    "DEFAULT_THROTTLE_RATES": {
        "user": "3000/min",
        "anon": "120/min",
        "optimade": os.environ.get("MLMD_OPTIMADE_RATE", "600/min"),
    },
    "EXCEPTION_HANDLER": "labs.exceptions.api_exception_handler",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "MLMD portal API",
    "DESCRIPTION": "Teacher data, potentials and molecular dynamics over HTTP.",
    "VERSION": "1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["labs.permissions.HasScope"],
    "SCHEMA_PATH_PREFIX": "/api/v1",
    # Fields of the same name in different rooms have different choices.
    "ENUM_NAME_OVERRIDES": {
        "JobState": "jobs.states.State",
        "Licence": "datasets.models.datasets.Licence",
        "UploadState": "datasets.models.uploads.UploadState",
        "UploadTarget": "datasets.models.uploads.UploadTarget",
        "StructureOrigin": "datasets.models.structures.Origin",
    },
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": os.environ.get("MLMD_LOG_LEVEL", "INFO")},
    "loggers": {
        # Both announce at every start what is always so.
        "axes": {"level": "WARNING"},
        "kombu.connection": {"level": "ERROR"},
    },
}
