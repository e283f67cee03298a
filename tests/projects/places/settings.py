"""Settings of a project with geometries of GeoDjango."""

import os
from importlib.util import find_spec

import dj_database_url

if find_spec("pymysql") is not None:
    import pymysql

    pymysql.install_as_MySQLdb()

_ENGINES = {
    "django.db.backends.sqlite3": "spatialite",
    "django.db.backends.postgresql": "postgis",
    "django.db.backends.mysql": "mysql",
}

SECRET_KEY = "tests"
USE_TZ = True
DATABASES = {"default": dj_database_url.parse(os.environ["DATABASE_URL"])}
DATABASES["default"]["ENGINE"] = (
    f"django.contrib.gis.db.backends.{_ENGINES[DATABASES['default']['ENGINE']]}"
)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ALLOWED_HOSTS = ["testserver"]
ROOT_URLCONF = "tests.projects.places.urls"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.gis",
    "django.contrib.sessions",
    "rest_framework",
    "tests.projects.places",
    "django_customer_history",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
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
            ],
        },
    }
]
