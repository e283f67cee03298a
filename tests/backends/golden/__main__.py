"""Refresh the golden files of one database."""

import os
import sys

import pytest

from tests.backends.golden import FOLDER, REFRESH

os.environ[REFRESH] = "1"
sys.exit(pytest.main(["-q", "--create-db", str(FOLDER.parent / "test_golden.py")]))
