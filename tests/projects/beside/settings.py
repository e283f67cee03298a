"""Settings of a project that keeps its history with several packages at once."""

import os
from importlib.util import find_spec

import dj_database_url

if find_spec("pymysql") is not None:
    import pymysql

    pymysql.install_as_MySQLdb()

SECRET_KEY = "tests"
USE_TZ = True
DATABASES = {"default": dj_database_url.parse(os.environ["DATABASE_URL"])}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
IS_POSTGRES = DATABASES["default"]["ENGINE"].endswith("postgresql")
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "reversion",
    "easyaudit",
    *(["pgtrigger", "pghistory"] if IS_POSTGRES and find_spec("pghistory") else []),
    "tests.projects.beside",
    "django_customer_history",
]
MIDDLEWARE = ["django_customer_history.middleware.HistoryMiddleware"]
PGTRIGGER_INSTALL_ON_MIGRATE = True
PGHISTORY_INSTALL_CONTEXT_FUNC_ON_MIGRATE = True
