"""Run one FreeTumor job: ``PythonSlicer freetumor-job.py job.json``. See ``freetumor/jobs.py``."""

import sys
from pathlib import Path

# The core lies beside the Scripts folder, in the repository as in an installed extension.
HERE = Path(__file__).resolve()
for folder in HERE.parents[1:3]:
    if (folder / "freetumor" / "jobs.py").is_file():
        sys.path.insert(0, str(folder))
        break

from freetumor.jobs import main  # noqa: E402

if __name__ == "__main__":  # not in the processes that a training starts, which read this file too
    sys.exit(main())
