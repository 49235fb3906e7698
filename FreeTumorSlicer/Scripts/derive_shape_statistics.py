"""Derives ``freetumor/masks/shape_statistics.json`` from libraries of real tumor masks.

    python derive_shape_statistics.py --masks DIR --out FILE

DIR holds ``index.json`` and one ``.npz`` per library. Most of these masks are licensed for non-commercial
use, so they stay where they are: what is written are quantiles over at least a hundred lesions each,
from which no mask can be restored.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from freetumor.anatomy import PERCENTILES, organ
from freetumor.masks.radius_field import HIGHEST, LOWEST
from freetumor.masks.shape_measures import measure
from scipy import ndimage, special, stats

MEASURES = ("elongation", "flatness", "roughness")
QUANTILES = (0, 5, 10, 25, 50, 75, 90, 95, 100)
MIN_VOXELS = 150  # fewer show their voxels, not their shape
MIN_LESION = 8  # smaller specks of a label map are no lesions (the ULS23 crops were cut there, too)
KIDNEY_TUMOR = 6  # label of tumor in KiTS
MIN_PIXELS = 300  # of a slice whose outline is analysed
VOXELS_FLATTEN = 0.3  # sampled shapes on a 1 mm grid read so much flatter a slope than they were made with
WAVES = range(3, 9)  # beyond, voxels show


@dataclass(frozen=True)
class Source:
    """What a shape key is measured on."""

    libraries: tuple[str, ...]
    title: str
    licence: str
    size_bins: int


_NC = "masks are CC BY-NC-SA 4.0 (not redistributed); only these summary statistics are"
SOURCES = {
    "liver": Source(("uls23_lits_liver",), "LiTS liver lesions (ULS23)", _NC, 3),
    "pancreas": Source(("uls23_msd_pancreas",), "MSD Task07 pancreas tumors (ULS23)", _NC, 3),
    "kidney": Source(("kits23",), "KiTS23 kidney tumors, connected parts of label 6, 120 cases", _NC, 3),
    "lung": Source(
        ("uls23_msd_lung", "uls23_lidc"), "MSD Task06 lung tumors and LIDC-IDRI nodules (ULS23)", _NC, 3
    ),
}

# No masks of COVID-19 lesions were at hand. Assumed from how they are described on CT: patchy opacities with
# ragged, partly confluent outlines, most of them broad-based and flat along the pleura.
COVID = {
    "assumed": True,
    "source": "assumption: no labelled COVID-19 CT was at hand",
    "note": "patchy, ragged, flat along the pleura: wider and rougher than any measured key",
    "size_mm": list(organ("covid").size_percentiles),
    "quantiles_percent": list(QUANTILES),
    "elongation": [1.02, 1.07, 1.12, 1.24, 1.45, 1.7, 2.0, 2.2, 2.6],
    "flatness": [1.05, 1.15, 1.25, 1.4, 1.65, 1.95, 2.3, 2.5, 3.0],
    "largest_axis_ratio": 6.0,
    "roughness": [
        {"diameter_mm": 25.0, "quantiles": [0.05, 0.07, 0.08, 0.1, 0.12, 0.14, 0.16, 0.18, 0.2]},
    ],
    "rank_correlation": [[1, 0, 0.3], [0, 1, 0.3], [0.3, 0.3, 1]],
    "slope": 2.8,
}


def lesions(folder: Path, source: Source) -> list[tuple[np.ndarray, tuple[float, ...]]]:
    """Masks (3-D, bool) and their spacing in mm (same axis order) of all libraries of `source`."""
    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))["sets"]
    found = []
    for library in source.libraries:
        arrays = np.load(folder / index[library]["file"])
        for case, entry in index[library]["cases"].items():
            spacing = tuple(entry["spacing_mm"])
            if library != "kits23":
                found.append((arrays[case] > 0, spacing))
                continue
            parts, _ = ndimage.label(arrays[case] == KIDNEY_TUMOR)
            boxes = ndimage.find_objects(parts)
            found += [(parts[box] == number, spacing) for number, box in enumerate(boxes, start=1)]
    return [(mask, spacing) for mask, spacing in found if np.count_nonzero(mask) >= MIN_LESION]


def outline_spectrum(mask: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray | None:
    """Power of the logarithm of the radius per wave number of :data:`WAVES` around axial outlines.

    Each outline is taken in the plane where its second moments are a circle's; adds up to 1. None where
    no slice has enough voxels. Mean over the slices with at least 80 % of the largest area.
    """
    angles = np.arange(64) * (2.0 * np.pi / 64)
    radii = np.linspace(0.0, 2.5, 101)[1:]
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=-1)[:, None] * radii[:, None]
    area = np.count_nonzero(mask, axis=(0, 1))
    found = []
    for plane in np.flatnonzero((area >= 0.8 * area.max()) & (area >= MIN_PIXELS)):
        pixels = np.argwhere(mask[:, :, plane]) * np.asarray(spacing[:2])
        moments = np.cov(pixels.T, bias=True) + np.diag(np.square(spacing[:2]) / 12.0)
        values, axes = np.linalg.eigh(moments)
        rays = circle @ (axes * np.sqrt(4.0 * values)).T + pixels.mean(axis=0)
        index = np.moveaxis(rays / np.asarray(spacing[:2]), -1, 0)
        inside = ndimage.map_coordinates(mask[:, :, plane].astype(np.float32), index, order=1)
        squares = 2.0 * (np.clip(3.0 * inside - 1.0, 0.0, 1.0) * radii).sum(axis=1) * (radii[1] - radii[0])
        wave = np.fft.rfft(0.5 * np.log(np.maximum(squares, 0.02)))
        found.append(np.abs(wave[WAVES.start : WAVES.stop]) ** 2)
    return np.sum(found, axis=0) / np.sum(found) if found else None


def spectrum_slope(power: np.ndarray) -> float:
    """Slope s of the isotropic field on the sphere, ``power(degree) ~ degree ** -s``, whose great circles
    have `power` per wave number of :data:`WAVES`.
    """
    degrees = np.arange(LOWEST, HIGHEST + 1)
    # What each degree puts into each wave number: the squared harmonics on the equator.
    share = np.zeros((len(WAVES), len(degrees)))
    for row, order in enumerate(WAVES):
        for column, degree in enumerate(degrees):
            if order <= degree:
                logs = special.gammaln(degree - order + 1) - special.gammaln(degree + order + 1)
                share[row, column] = np.exp(logs) * special.lpmv(order, degree, 0.0) ** 2
    slopes = np.arange(1.5, 6.01, 0.1)
    errors = []
    for slope in slopes:
        expected = share @ degrees**-slope
        errors.append(float(np.square(np.log(expected / expected.sum()) - np.log(power)).sum()))
    return round(float(slopes[np.argmin(errors)]) + VOXELS_FLATTEN, 1)


def summarise(source: Source, masks: list[tuple[np.ndarray, tuple[float, ...]]]) -> dict:
    """The entry of one shape key; `masks` as :func:`lesions` returns them."""
    every = [measure(mask, spacing, slice_axis=2) for mask, spacing in masks]
    measured = [m for m in every if m.voxels >= MIN_VOXELS]
    resolved = [masks[n] for n, m in enumerate(every) if m.voxels >= MIN_VOXELS]
    table = {name: np.array([getattr(m, name) for m in measured]) for name in MEASURES}
    diameter = np.array([m.diameter_mm for m in measured])
    ranks = np.stack([table[name] for name in MEASURES], axis=1)
    edges = np.quantile(diameter, np.linspace(0, 1, source.size_bins + 1))
    bins = []
    for low, high in pairwise(edges):
        inside = (diameter >= low) & (diameter <= high)
        bins.append(
            {
                "diameter_mm": round(float(np.median(diameter[inside])), 1),
                "quantiles": _quantiles(table["roughness"][inside]),
            }
        )
    outlines = [outline_spectrum(mask, spacing) for mask, spacing in resolved]
    power = np.mean([line for line in outlines if line is not None], axis=0)
    return {
        "assumed": False,
        "source": source.title,
        "licence": source.licence,
        "lesions": len(masks),
        "size_mm": [round(float(v), 1) for v in np.percentile([m.diameter_mm for m in every], PERCENTILES)],
        "resolved_lesions": len(resolved),
        "quantiles_percent": list(QUANTILES),
        "elongation": _quantiles(table["elongation"]),
        "flatness": _quantiles(table["flatness"]),
        "largest_axis_ratio": round(float((table["elongation"] * table["flatness"]).max()), 3),
        "roughness_all": _quantiles(table["roughness"]),
        "roughness_3d_all": _quantiles(np.array([m.roughness_3d for m in measured])),
        "roughness": bins,
        "rank_correlation": np.round(stats.spearmanr(ranks).statistic, 2).tolist(),
        "roughness_size_correlation": round(float(stats.spearmanr(table["roughness"], diameter)[0]), 2),
        "outline_spectrum": [round(float(v), 3) for v in power],
        "slope": spectrum_slope(power),
    }


def _quantiles(values: np.ndarray) -> list[float]:
    return [round(float(v), 3) for v in np.percentile(values, QUANTILES)]


def derive(folder: Path) -> dict:
    """The whole content of the statistics file, from the libraries in `folder`."""
    keys = {key: summarise(source, lesions(folder, source)) for key, source in SOURCES.items()}
    keys["covid"] = COVID
    return {
        "about": "Summary statistics of the shapes of real tumor masks. Written by "
        "Scripts/derive_shape_statistics.py; measures as in freetumor/masks/shape_measures.py.",
        "minimum_voxels": MIN_VOXELS,
        "size_percentiles": list(PERCENTILES),
        "measures": list(MEASURES),
        "outline_waves": list(WAVES),
        "keys": keys,
    }


def dumps(statistics: dict) -> str:
    """JSON with one line per list of numbers, so that people can read it."""
    lines = json.dumps(statistics, indent=1).splitlines()
    text, opened = [], None
    for line in lines:
        if opened is not None:
            opened += line.strip() + (" " if line.endswith(",") else "")
            if line.strip().startswith("]"):
                text.append(opened)
                opened = None
        elif line.endswith("[") and '"roughness"' not in line and '"rank' not in line:
            opened = line
        else:
            text.append(line)
    return "\n".join(text) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--masks", type=Path, required=True, help="folder with index.json and the .npz files")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    options = parser.parse_args(arguments)
    statistics = derive(options.masks)
    options.out.write_text(dumps(statistics), encoding="utf-8")
    for key, entry in statistics["keys"].items():
        table = organ(key).size_percentiles
        print(f"{key}: size {entry['size_mm']} mm; anatomy says {list(table)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
