"""Skip tests if something is missing that not every environment has.

The reasons begin with `MISSING`: `tests.databases --require-all` makes a failure of them.
"""

from importlib.util import find_spec

import pytest

MISSING = "missing: "


def needs(name):
    """Return the mark of tests that need an optional Python package."""
    return pytest.mark.skipif(find_spec(name) is None, reason=f"{MISSING}{name} is not installed")


def skip_missing(what):
    """Skip the running test because a program, a server or a package is missing."""
    pytest.skip(f"{MISSING}{what}")
