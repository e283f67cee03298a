"""Django's own tests: the source distribution of the installed version, from the package index."""

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import django

ROOT = Path(__file__).resolve().parents[3]
CACHE = Path(os.environ.get("DJANGO_SUITE_CACHE", ROOT / ".django_suite"))
"""The folder for what is kept between runs: the tests of each Django version, and baselines."""

GROUPS = ("gis_tests",)
"""Folders of labels that need a spatial database."""


def tests_folder() -> Path:
    """Return the folder of the tests of the installed Django; download it the first time."""
    folder = CACHE / f"django-{django.__version__}" / "tests"
    if not folder.exists():
        with tempfile.TemporaryDirectory() as temporary:
            archive = _download(Path(temporary))
            with tarfile.open(archive) as opened:
                opened.extractall(temporary, filter="data")
            (unpacked,) = (one for one in Path(temporary).iterdir() if one.is_dir())
            folder.parent.parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(unpacked, folder.parent, dirs_exist_ok=True)
    return folder


def labels_in(folder: Path) -> list[str]:
    """Return the labels of the suite: the packages in the folder of the tests."""
    return sorted(
        one.name
        for one in folder.iterdir()
        if (one / "__init__.py").exists()
        and one.name not in {*GROUPS, "import_error_package", "test_runner_apps"}
    )


def _download(folder: Path) -> Path:
    # Only Django itself is taken as source: its build tools may come as wheels.
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
        *("--no-deps", "--no-binary", "Django", "--dest", str(folder)),
        f"Django=={django.__version__}",
    ]
    subprocess.run(command, check=True)
    return next(folder.glob("*.tar.gz"))
