"""Marks for tests of the package's extras: without an extra they are skipped."""

from importlib.util import find_spec

import pytest


def needs(name):
    """Return the mark of tests that need a package which not every project has."""
    return pytest.mark.skipif(find_spec(name) is None, reason=f"{name} is not installed")
