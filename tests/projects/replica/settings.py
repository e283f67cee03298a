"""Settings of the scenario: a primary for writes, a replica for reads."""

import os

from tests.settings import *  # noqa: F403

DATABASES = {
    alias: {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "postgres",
        "USER": "postgres",
        "HOST": "127.0.0.1",
        "PORT": os.environ[f"{alias.upper()}_PORT"],
    }
    for alias in ("default", "replica")
}
DATABASE_ROUTERS = ["tests.projects.replica.router.ReplicaRouter"]
ALLOWED_HOSTS = ["testserver"]
