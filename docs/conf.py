"""Sphinx builds the documents with this: `make docs`."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

project = "django-customer-history"
author = "The django-customer-history contributors"
project_copyright = "2026, the django-customer-history contributors"
release = re.search(
    r'__version__ = "(.+?)"',
    (ROOT / "src" / "django_customer_history" / "__init__.py").read_text(encoding="utf-8"),
)[1]

extensions = ["myst_parser"]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
nitpicky = True

html_theme = "furo"
html_title = f"{project} {release}"
