"""Settings of the scenario: django-allauth and django-axes on SQLite."""

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS as BEFORE
from tests.settings import MIDDLEWARE as MIDDLEWARE_BEFORE

DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
INSTALLED_APPS = ["allauth", "allauth.account", "axes", *BEFORE]
MIDDLEWARE = [
    *MIDDLEWARE_BEFORE,
    "allauth.account.middleware.AccountMiddleware",
    "axes.middleware.AxesMiddleware",
]
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AXES_FAILURE_LIMIT = 2
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_RATE_LIMITS = False
ROOT_URLCONF = "tests.projects.logins.urls"
ALLOWED_HOSTS = ["testserver"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
CUSTOMER_HISTORY = {"AUTHENTICATION_EVENTS": True}
