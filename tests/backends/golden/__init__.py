"""Golden files: the generated SQL of one small model, for each database.

A pull request that changes generated SQL shows the change in these files. To refresh the file of
the database that `DATABASE_URL` names (MariaDB: also that of MySQL), run:

    python -m tests.backends.golden
"""

from pathlib import Path

FOLDER = Path(__file__).parent
REFRESH = "REFRESH_GOLDEN_FILES"
"""The environment variable that makes the test write the files before it compares them."""
