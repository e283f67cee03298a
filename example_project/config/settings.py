"""Settings of the example project.

`DATABASE_URL` chooses the database: a SQLite file by default, PostgreSQL, MariaDB or MySQL.
`MEDIA_ROOT` is the folder of uploaded files, `SECRET_KEY` replaces the key in this file, `DEBUG=0`
turns the debug pages off, and `HTTPS=1` is for a site behind a proxy that uses HTTPS. With
`MASK_UNTIL_REVEALED=1`, users must reveal each confidential value, which is logged.
"""

import os
from pathlib import Path

import dj_database_url

try:
    import MySQLdb  # noqa: F401
except ImportError:
    import pymysql

    # PyMySQL needs no compiler. If mysqlclient is installed, it is used.
    pymysql.install_as_MySQLdb()

PROJECT = Path(__file__).resolve().parent.parent

SECRET_KEY = os.environ.get("SECRET_KEY", "known to everybody, for the example project only")
DEBUG = os.environ.get("DEBUG", "1") == "1"
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]"]

IS_HTTPS = os.environ.get("HTTPS", "0") == "1"
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = IS_HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if IS_HTTPS else None
SECURE_HSTS_SECONDS = 365 * 24 * 60 * 60 if IS_HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = IS_HTTPS

DATABASES = {
    "default": dj_database_url.parse(
        os.environ.get("DATABASE_URL") or f"sqlite:///{PROJECT / 'demo.sqlite3'}"
    )
}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"].setdefault("OPTIONS", {}).update(
        transaction_mode="IMMEDIATE",
        init_command="PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
        " PRAGMA temp_store=MEMORY;",
    )

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "rest_framework",
    "rest_framework.authtoken",
    "crm",
    "django_customer_history",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "config.security.content_security_policy",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django_customer_history.middleware.HistoryMiddleware",
    "config.zones.reader_time_zone",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
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
                "crm.companies.company_of_reader",
            ]
        },
    }
]
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"

LANGUAGE_CODE = "en-us"
# The languages of the package and of this project, and one that is written from right to left.
LANGUAGES = [("en", "English"), ("de", "Deutsch"), ("es", "Español"), ("ar", "العربيّة")]
LOCALE_PATHS = [PROJECT / "locale"]
USE_TZ = True
TIME_ZONE = "America/New_York"

STATIC_URL = "/static/"
MEDIA_ROOT = os.environ.get("MEDIA_ROOT") or PROJECT / "media"

AUTHENTICATION_BACKENDS = ["crm.companies.CompanyBackend"]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.DjangoModelPermissions"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.LimitOffsetPagination",
    "PAGE_SIZE": 50,
}

CUSTOMER_HISTORY = {
    # The reverse proxy runs on the same machine. The demo itself acts as one.
    "TRUSTED_PROXIES": ["127.0.0.1/32", "::1/128"],
    "READER_TIME_ZONE": "crm.companies.time_zone_of",
    "MASK_UNTIL_REVEALED": os.environ.get("MASK_UNTIL_REVEALED", "0") == "1",
}
