"""Django's settings, made from the installation's environment (backend.config.environment)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import psycopg
from django.core.exceptions import ImproperlyConfigured
from psycopg.conninfo import conninfo_to_dict

from backend.config.access_settings import oidc_provider
from backend.config.environment import load_environment
from backend.config.mail_settings import mail_backend

VERSION = "0.5.0"
BASE_DIR = Path(__file__).resolve().parents[2]
FRONTEND_DIST = BASE_DIR / "frontend" / "dist"

ENVIRONMENT = load_environment()

DEBUG = False
SECRET_KEY = ENVIRONMENT.secret_key
IS_LOOPBACK = ENVIRONMENT.is_loopback
PUBLISHED_HOST, PORT = ENVIRONMENT.published_host, ENVIRONMENT.port
ALLOWED_HOSTS = list(ENVIRONMENT.allowed_hosts)
DATA_DIR = ENVIRONMENT.data_dir
DATABASE_URL = ENVIRONMENT.database_url
ALIVE_FILE = ENVIRONMENT.alive_file
DATABASE_ROLES = ENVIRONMENT.database

MODEL_RUNNERS = ENVIRONMENT.model_runners
MODEL_RUNNER_IS_BUILT_IN = ENVIRONMENT.runner_is_built_in
TITLES = ENVIRONMENT.titles
AUDIT = ENVIRONMENT.audit
TRAFFIC = ENVIRONMENT.traffic
MODEL_RUNNER_MODEL = ENVIRONMENT.model_runner_model or (
    ENVIRONMENT.builtin.model_id if MODEL_RUNNER_IS_BUILT_IN else ""
)

SIGNUP = ENVIRONMENT.signup

# ---- applications -----------------------------------------------------------------------------

INSTALLED_APPS = [
    "backend.accounts",
    "backend.event_store",
    "backend.transparency",
    "backend.model_calls",
    "projections",
    "backend.api",
    "backend.commands",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "allauth",
    "allauth.account",
    "allauth.headless",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "knox",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
]

MIDDLEWARE = [
    "backend.config.security_headers.security_headers_middleware",
    "backend.api.metrics.view.metrics_middleware",
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "backend.api.mail_trouble.MailTroubleMiddleware",
]

ROOT_URLCONF = "backend.config.urls"
WSGI_APPLICATION = "backend.config.wsgi.application"
ASGI_APPLICATION = "backend.config.asgi.application"
APPEND_SLASH = False
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
    }
]

# ---- database ---------------------------------------------------------------------------------

# Threads of one web process share this many connections; the event store keeps its own pool beside it.
POOL_SIZE = 16


def database_settings(url: str) -> dict[str, Any]:
    if not url:
        # Commands that never look at the database (such as `check`) may load without one.
        if os.environ.get("VERBATIM_WITHOUT_DATABASE") != "1":
            raise ImproperlyConfigured(
                "DATABASE_URL is empty. Start with `make run` or through backend/manage.py, which bring the embedded "
                "database along, or set DATABASE_URL."
            )
        url = "postgresql:///verbatim"
    try:
        parts = conninfo_to_dict(url)
    except psycopg.ProgrammingError as error:
        # What the library quotes after the colon, and what it is chained to, may hold the password.
        raise ImproperlyConfigured(
            f"DATABASE_URL cannot be read: {str(error).partition(':')[0].strip()}. Expected postgresql://USER:PASSWORD@HOST/NAME, with special "
            "characters percent-encoded."
        ) from None
    if not parts.get("dbname") and not parts.get("service"):
        raise ImproperlyConfigured(
            "DATABASE_URL names no database. Expected postgresql://USER:PASSWORD@HOST/NAME, with the name at the end."
        )
    # What is not a place or a person (sslmode, target_session_attrs, ...) goes to psycopg as it stands.
    known = ("dbname", "host", "port", "user", "password")
    options = {name: value for name, value in parts.items() if name not in known}
    return {
        "ENGINE": "backend.config.database",
        "NAME": str(parts.get("dbname") or ""),
        "HOST": str(parts.get("host") or ""),
        "PORT": str(parts.get("port") or ""),
        "USER": str(parts.get("user") or ""),
        "PASSWORD": str(parts.get("password") or ""),
        "CONN_MAX_AGE": 0,
        "OPTIONS": {**options, "pool": {"min_size": 1, "max_size": POOL_SIZE, "timeout": 10}},
    }


DATABASES = {"default": database_settings(DATABASE_URL)}

# Rate limits are counted in the cache, so it must be one that all web processes share.
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "cache_table"},
}

# ---- accounts ---------------------------------------------------------------------------------

# The address is unique without regard to case (a constraint of the model), which this check does not see.
SILENCED_SYSTEM_CHECKS = ["auth.W004"]
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

ACCOUNT_ADAPTER = "backend.accounts.adapter.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "mandatory" if ENVIRONMENT.mail.is_sent else "none"
# Whoever opens the link in the browser in which they signed up is in. A link opened elsewhere logs nobody in.
ACCOUNT_LOGIN_ON_EMAIL_CONFIRMATION = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
# Only the limits per IP address are ours to set; all other limits stay as allauth has them.
ACCOUNT_RATE_LIMITS = {
    "signup": f"{ENVIRONMENT.signup_rate}/ip" if ENVIRONMENT.signup_rate else None,
    "login": f"{ENVIRONMENT.login_rate}/ip" if ENVIRONMENT.login_rate else None,
}

# People who have a second factor are asked for it in any case; `off` only lets nobody set one up.
MFA_ADAPTER = "backend.accounts.second_factor.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"] if ENVIRONMENT.access.two_factor else []
MFA_TOTP_ISSUER = "Verbatim"
# Without mail no address is ever verified.
MFA_ALLOW_UNVERIFIED_EMAIL = not ENVIRONMENT.mail.is_sent

OIDC = ENVIRONMENT.access.oidc
SOCIALACCOUNT_ADAPTER = "backend.accounts.oidc.SocialAccountAdapter"
SOCIALACCOUNT_PROVIDERS = {} if OIDC is None else oidc_provider(OIDC)
SOCIALACCOUNT_EMAIL_AUTHENTICATION_AUTO_CONNECT = True
# Another way in is added or taken away only by whoever has just shown who they are.
SOCIALACCOUNT_REAUTHENTICATION_REQUIRED = True

# A link with which a new password can be set, by mail or handed over by an administrator, works for a day.
PASSWORD_RESET_TIMEOUT = 24 * 60 * 60
HEADLESS_ONLY = True
HEADLESS_CLIENTS = ["browser"]
HEADLESS_FRONTEND_URLS = {
    "account_confirm_email": "/account/verify-email/{key}",
    "account_reset_password": "/account/password/reset",
    "account_reset_password_from_key": "/account/password/reset/key/{key}",
    "account_signup": "/signup",
    "socialaccount_login_error": "/login?from=service",
}

SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_NAME = "verbatim_session"
CSRF_COOKIE_SAMESITE = "Lax"
# Behind a proxy that ends TLS, the browser's Origin says https while the request that arrives here is plain.
CSRF_TRUSTED_ORIGINS = [
    f"https://{'*' if name.startswith('.') else ''}{name}"
    for name in ALLOWED_HOSTS
    if name != "*" and not IS_LOOPBACK
]
CSRF_FAILURE_VIEW = "backend.api.problems.csrf_failure"

REST_KNOX = {
    "TOKEN_MODEL": "accounts.ApiToken",
    "AUTH_HEADER_PREFIX": "Bearer",
    "TOKEN_TTL": None,
}
KNOX_TOKEN_MODEL = "accounts.ApiToken"

# ---- mail -------------------------------------------------------------------------------------

MAIL_IS_SENT = ENVIRONMENT.mail.is_sent
DEFAULT_FROM_EMAIL = SERVER_EMAIL = ENVIRONMENT.mail.sender
globals().update(mail_backend(ENVIRONMENT.mail))

# ---- HTTP -------------------------------------------------------------------------------------

# A request may be 1 MB; DRF and our own check answer 413 beyond that.
REQUEST_LIMIT_BYTES = 1024 * 1024
DATA_UPLOAD_MAX_MEMORY_SIZE = REQUEST_LIMIT_BYTES

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "backend.api.authentication.SessionAuthentication",
        "backend.api.authentication.ApiTokenAuthentication",
    ],
    "DEFAULT_THROTTLE_CLASSES": ["backend.api.command_rate.CommandThrottle"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["backend.api.json_input.StrictJSONParser"],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "backend.api.problems.exception_handler",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    "COERCE_DECIMAL_TO_STRING": True,
}

SPECTACULAR_SETTINGS = {
    "TITLE": "Verbatim",
    "DESCRIPTION": "A chat application for language models that keeps every word. "
    "Commands answer with a position; every query accepts it as `?after=` and waits until it has been passed.",
    "VERSION": VERSION,
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": r"/api/",
    "ENUM_NAME_OVERRIDES": {
        "RoleEnum": "backend.api.output_serializers.ROLES",
        "WriterEnum": "backend.api.search_view.WRITERS",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "backend.api.schema.describe_plain_views",
    ],
}

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

# ---- language, time, logging ------------------------------------------------------------------

LANGUAGE_CODE = "en"
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "plain": {"()": "backend.logs.format.PlainFormatter"},
        "json": {"()": "backend.logs.format.JsonFormatter"},
    },
    "filters": {"failures_only": {"()": "backend.logs.requests.FailuresOnly"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": ENVIRONMENT.log_format}},
    "root": {"handlers": ["stderr"], "level": ENVIRONMENT.log_level},
    "loggers": {
        # There is one line for each request already (backend.logs.requests), which says how it was answered.
        "django.request": {"level": "ERROR", "filters": ["failures_only"]},
        "httpx": {"level": "WARNING"},
        "httpcore": {"level": "WARNING"},
    },
}
