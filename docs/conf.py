"""Settings of Sphinx, which builds the documents: `make docs`."""

import re
from pathlib import Path

import django
from django.conf import settings

ROOT = Path(__file__).resolve().parent.parent

project = "django-customer-history"
author = "The django-customer-history contributors"
project_copyright = "2026, the django-customer-history contributors"
release = re.search(
    r'__version__ = "(.+?)"',
    (ROOT / "src" / "django_customer_history" / "__init__.py").read_text(encoding="utf-8"),
)[1]

# Sphinx imports the package to read its docstrings.
settings.configure(
    INSTALLED_APPS=[
        "django.contrib.admin",
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.messages",
        "django.contrib.sessions",
        "rest_framework",
        "simple_history",
        "django_customer_history",
    ],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    USE_TZ=True,
)
django.setup()

extensions = ["myst_parser", "sphinx.ext.autodoc"]
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
default_role = "code"
# Types of Python and of Django are documented elsewhere.
nitpick_ignore_regex = [("py:.*", ".*")]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
nitpicky = True
linkcheck_anchors = False  # pages built by scripts have no anchors
linkcheck_ignore = [r"http://127\.0\.0\.1", r"https://example\.com"]

html_theme = "furo"
html_title = f"{project} {release}"
