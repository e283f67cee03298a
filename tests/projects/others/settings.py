"""Settings of a project with other packages. `OTHERS` names the apps that a scenario adds."""

import os
from importlib.util import find_spec

import dj_database_url

if find_spec("pymysql") is not None:
    import pymysql

    pymysql.install_as_MySQLdb()

OTHERS = os.environ["OTHERS"].split(",")
REDIS = os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379/0")
SECRET_KEY = "tests"
SALT_KEY = "tests"  # of encrypted_fields
USE_TZ = True
ALLOWED_HOSTS = ["testserver"]
DATABASES = {"default": dj_database_url.parse(os.environ["DATABASE_URL"])}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    *(name for name in OTHERS if name in {"unfold", "jazzmin"}),  # before the admin
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    *(name for name in OTHERS if name not in {"unfold", "jazzmin"}),
    "tests.projects.others",
    "django_customer_history",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_customer_history.middleware.HistoryMiddleware",
]
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    *(["guardian.backends.ObjectPermissionBackend"] if "guardian" in OTHERS else []),
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
ROOT_URLCONF = "tests.projects.others.urls"
STATIC_URL = "/static/"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS}}
CACHEOPS_REDIS = REDIS
# The state of migrations is read before any app is known: its rows cannot be unpickled.
CACHEOPS = {"migrations.*": None, "*.*": {"ops": "all", "timeout": 600}}
if "HISTORY_UNCACHED" in os.environ:
    CACHALOT_UNCACHABLE_TABLES = ["django_migrations", "customer_history_entry"]
    CACHEOPS["customer_history.*"] = None
