"""Settings of Django's own test suite. `DATABASE_URL` selects the database, as in the tests.

They are what `test_sqlite.py` of the suite has. `runtests.py` sets the rest.
"""

import os
from importlib.util import find_spec

import dj_database_url

if find_spec("pymysql") is not None:
    import pymysql

    pymysql.install_as_MySQLdb()

_database = dj_database_url.parse(os.environ["DATABASE_URL"])
_name = os.environ["SUITE_DATABASE_NAME"]
DATABASES = {
    alias: {**_database, "NAME": name, "TEST": {}}
    for alias, name in (("default", _name), ("other", f"{_name}_other"))
}
for _settings in DATABASES.values():
    if _settings["ENGINE"].endswith("sqlite3"):
        del _settings["NAME"]
    if _settings["ENGINE"].endswith("mysql"):
        _settings["TEST"] = {"CHARSET": "utf8mb4", "COLLATION": "utf8mb4_general_ci"}
SECRET_KEY = "django_tests_secret_key"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
USE_TZ = False
TEST_RUNNER = "tests.projects.django_suite.runner.SuiteRunner"
