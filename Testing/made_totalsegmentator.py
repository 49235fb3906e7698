"""A package ``totalsegmentator`` for tests: function and table of classes as in version 2.18, no network."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from freetumor.labelers import totalsegmentator
from freetumor.volume import Volume, write_volume

NAMES = {
    1: "spleen",
    2: "kidney_right",
    3: "kidney_left",
    4: "gallbladder",
    5: "liver",
    6: "stomach",
    7: "pancreas",
    10: "lung_upper_lobe_left",
    11: "lung_lower_lobe_left",
    12: "lung_upper_lobe_right",
    13: "lung_middle_lobe_right",
    14: "lung_lower_lobe_right",
    23: "kidney_cyst_left",
    52: "aorta",
}
# It gives what labels.nii.gz beside it holds, of what is asked for, on the grid of the CT that it is given
# but in another order of voxels; asked.json tells how it was called.
_API = """
import json
from pathlib import Path
import nibabel as nib
import numpy as np
from totalsegmentator.map_to_binary import class_map

HERE = Path(__file__).parent


def totalsegmentator(input, output=None, ml=False, nr_thr_resamp=1, nr_thr_saving=6, fast=False,
                     nora_tag="None", preview=False, task="total", roi_subset=None, statistics=False,
                     radiomics=False, crop_path=None, body_seg=False, force_split=False,
                     output_type="nifti", quiet=False, verbose=False, test=0, skip_saving=False,
                     device="gpu", license_number=None, statistics_exclude_masks_at_border=True,
                     no_derived_masks=False, v1_order=False, fastest=False, roi_subset_robust=None,
                     stats_aggregation="mean", remove_small_blobs=False,
                     statistics_normalized_intensities=False, robust_crop=False,
                     higher_order_resampling_LEGACY=False, higher_order_resampling=False,
                     save_probabilities=None, debug=False, report=None, statistics_extra=False,
                     save_lowres=False, resampling_order=1, plans="nnUNetPlans", model_size="big"):
    print("If you use this tool please cite")
    asked = {"ml": ml, "fast": fast, "task": task, "roi_subset": roi_subset, "device": device}
    (HERE / "asked.json").write_text(json.dumps(asked))
    if (HERE / "fails").exists():
        raise RuntimeError("no weights for you")
    assert isinstance(roi_subset, list)
    ct = nib.load(input)
    labels = nib.load(HERE / "labels.nii.gz")
    assert ct.shape == labels.shape and np.allclose(ct.affine, labels.affine, atol=1e-3)
    held = np.asarray(labels.dataobj)
    wanted = [value for value, name in class_map[task].items() if name in roi_subset]
    made = nib.Nifti1Image(np.where(np.isin(held, wanted), held, 0).astype(np.uint8), ct.affine)
    made = nib.as_closest_canonical(made)
    if (HERE / "shifts").exists():
        made.affine[0, 3] += 5.0
        made = nib.Nifti1Image(made.dataobj, made.affine)
    made.header.extensions.append(nib.nifti1.Nifti1Extension(0, b"<CaretExtension/>"))  # names of labels
    nib.save(made, output)
    return made
"""
_METADATA = "Metadata-Version: 2.4\nName: TotalSegmentator\nVersion: 2.18.0\n"


def hide(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if TotalSegmentator were not installed, until a made one is."""
    monkeypatch.setattr(totalsegmentator, "find_spec", lambda name: None)


def forget_modules() -> None:
    """The next import reads the package again."""
    for name in [name for name in sys.modules if name.split(".")[0] == "totalsegmentator"]:
        del sys.modules[name]


def install(
    folder: Path, labels: Volume, monkeypatch: pytest.MonkeyPatch, names: Mapping[int, str] = NAMES
) -> Path:
    """Write the package into `folder` and import it from there; its own folder."""
    monkeypatch.setattr(totalsegmentator, "find_spec", lambda name: True)
    monkeypatch.syspath_prepend(folder)
    package = folder / "totalsegmentator"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "python_api.py").write_text(_API, "utf-8")
    (package / "map_to_binary.py").write_text(f"class_map = {{'total': {dict(names)!r}}}\n", "utf-8")
    write_volume(labels, package / "labels.nii.gz")
    info = folder / "TotalSegmentator-2.18.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(_METADATA, "utf-8")
    return package
