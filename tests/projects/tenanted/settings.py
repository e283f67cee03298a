"""Settings of a project with a PostgreSQL schema for each tenant, by django-tenants."""

import os

import dj_database_url

SECRET_KEY = "tests"
USE_TZ = True
DATABASES = {
    "default": {
        **dj_database_url.parse(os.environ["DATABASE_URL"]),
        "ENGINE": "django_tenants.postgresql_backend",
    }
}
DATABASE_ROUTERS = ["django_tenants.routers.TenantSyncRouter"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TENANT_MODEL = "tenanted.Company"
TENANT_DOMAIN_MODEL = "tenanted.Domain"
# The package is in both lists: each schema has a log, for the tables of that schema.
SHARED_APPS = [
    "django_tenants",
    "tests.projects.tenanted",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django_customer_history",
]
TENANT_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "tests.projects.others",
    "django_customer_history",
]
INSTALLED_APPS = [*SHARED_APPS, "tests.projects.others"]
