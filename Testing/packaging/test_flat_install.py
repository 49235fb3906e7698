"""The headless scripts run from the checkout and from the folder into which Slicer installs everything."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from extension import REPOSITORY, install_flat
from freetumor.volume import read_volume, write_volume

# Runs a script as Slicer's Python would and then tells from where it took the core.
RUN = (
    "import runpy, sys\n"
    "sys.argv = sys.argv[1:]\n"
    "code = 0\n"
    "try:\n"
    "    runpy.run_path(sys.argv[0], run_name='__main__')\n"
    "except SystemExit as end:\n"
    "    code = end.code\n"
    "import freetumor\n"
    "sys.stderr.write('core: ' + freetumor.__file__)\n"
    "sys.exit(code)\n"
)

IMPORT_ALL = """
import importlib, sys
sys.path.insert(0, {folder!r})
for name in {names!r}:
    importlib.import_module(name)
ours = [m for name, m in sys.modules.items() if name.partition(".")[0] == "freetumor"]
assert ours and all(m.__file__.startswith({folder!r}) for m in ours)
"""


@pytest.fixture(scope="session")
def flat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install_flat(tmp_path_factory.mktemp("qt scripted modules"))


@pytest.fixture(params=["checkout", "flat"])
def installed(request: pytest.FixtureRequest) -> Path:
    return REPOSITORY / "FreeTumorSlicer" if request.param == "checkout" else request.getfixturevalue("flat")


def test_a_job_runs_and_takes_the_core_beside_it(installed, phantom, tmp_path):
    write_volume(phantom.ct, tmp_path / "ct.nii")
    job = {"kind": "label-organs", "parameters": {"ct": "ct.nii", "organ": "lung", "out": "labels.nii"}}
    (tmp_path / "job.json").write_text(json.dumps(job), "utf-8")
    script = installed / "Scripts" / "freetumor-job.py"
    # From another folder and without our packages on the path, as from Slicer's launcher.
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(script), str(tmp_path / "job.json")],
        cwd=tmp_path, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert events[-1]["event"] == "done"
    assert np.any(read_volume(tmp_path / "labels.nii").array == 1)
    assert Path(done.stderr.rpartition("core: ")[2]).parent == installed / "freetumor"


def test_every_file_of_the_core_imports_from_the_flat_install(flat):
    names = sorted(
        ".".join(p.relative_to(flat).with_suffix("").parts).removesuffix(".__init__")
        for p in (flat / "freetumor").rglob("*.py")
        if p.name not in ("__main__.py", "cli.py")  # the command needs an extra that Slicer lacks
    )
    code = IMPORT_ALL.format(folder=str(flat), names=names)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
