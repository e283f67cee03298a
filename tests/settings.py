"""Settings of the tests. `DATABASE_URL` selects the database; the default is SQLite in memory."""

import os
import sys
import uuid
from importlib.util import find_spec

import dj_database_url

if find_spec("pymysql") is not None and os.environ.get("TEST_MYSQL_DRIVER") != "mysqlclient":
    # This driver needs no compiler. With mysqlclient everything else is the same: the factor
    # `mysqlclient` of tox installs it, and `TEST_MYSQL_DRIVER` names it.
    import pymysql

    pymysql.install_as_MySQLdb()

SECRET_KEY = "tests"
USE_TZ = True
TIME_ZONE = "UTC"
DATABASES = {
    "default": dj_database_url.parse(os.environ.get("DATABASE_URL", "sqlite://:memory:")),
}
DATABASES["other"] = {**DATABASES["default"], "NAME": f"{DATABASES['default']['NAME']}_other"}
for database in DATABASES.values():
    if database["ENGINE"].endswith("mysql"):
        database["TEST"] = {"CHARSET": "utf8mb4", "COLLATION": "utf8mb4_unicode_ci"}
if DATABASES["other"]["ENGINE"].endswith("sqlite3"):
    DATABASES["other"]["NAME"] = ":memory:"
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "rest_framework",
    "rest_framework.authtoken",
    "simple_history",
    "auditlog",
    *(name for name in ("hijack", "impersonate") if find_spec(name) is not None),
    # The plugin of mypy cannot read its models.
    *(["guardian"] if find_spec("guardian") is not None and "mypy" not in sys.modules else []),
    "tests.projects.crm",
    "tests.projects.evolving",
    "tests.projects.past",
    "tests.projects.shapes",
    "django_customer_history",
]
if HAS_QUEUES := find_spec("django_tasks_db") is not None:
    INSTALLED_APPS[-1:-1] = ["django_rq", "django_tasks_db"]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_customer_history.middleware.HistoryMiddleware",
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
ROOT_URLCONF = "tests.urls"
STATIC_URL = "/static/"
LOGIN_URL = "/log-in/"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# A worker that a test starts inherits the queue through the environment.
_run = os.environ.setdefault("TASK_QUEUE", f"history_{uuid.uuid4().hex[:12]}")
TASK_QUEUE = f"{_run}{os.environ.get('PYTEST_XDIST_WORKER', '')}"
RQ_QUEUES = {
    TASK_QUEUE: {"URL": os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379/0")},
}
TASKS_PACKAGE = "django.tasks" if find_spec("django.tasks") else "django_tasks"
TASKS: dict[str, dict[str, object]] = {
    "default": {"BACKEND": f"{TASKS_PACKAGE}.backends.immediate.ImmediateBackend"},
    "dummy": {"BACKEND": f"{TASKS_PACKAGE}.backends.dummy.DummyBackend"},
}
if HAS_QUEUES:
    TASKS |= {
        "database": {"BACKEND": "django_tasks_db.DatabaseBackend", "QUEUES": [TASK_QUEUE]},
        "rq": {"BACKEND": "django_tasks_rq.RQBackend", "QUEUES": [TASK_QUEUE]},
    }
ANONYMOUS_USER_NAME = None  # django-guardian would create a user.
GUARDIAN_MONKEY_PATCH_USER = False
SILENCED_SYSTEM_CHECKS = ["guardian.W001"]  # Only some tests use its backend.
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework.authentication.SessionAuthentication",
        "rest_framework.authentication.TokenAuthentication",
    ],
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
# `HISTORY_PARTITIONS=month` tests a log in partitions.
CUSTOMER_HISTORY = {
    "PARTITIONS": os.environ.get("HISTORY_PARTITIONS"),
    "PROPAGATE_CONTEXT_TO_TASKS": True,
}

# Django 6.1 warns without them.
MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}
