"""From answers and key to a report: ``freetumor study analyze``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np

import freetumor
from freetumor.anatomy import SIZE_CLASSES
from freetumor.errors import BadInput
from freetumor.files import appearing, check_free, write_json
from freetumor.study import agreement, summaries
from freetumor.study.answers import read_answers, torn_lines
from freetumor.study.bootstrap import crossed
from freetumor.study.cautions import FEW_IN_PART, HALF, warnings
from freetumor.study.equivalence import check_margin, equivalence
from freetumor.study.key import Key, read_key
from freetumor.study.multireader import MEASURES, pooled, pooled_share
from freetumor.study.reads import Reads, join
from freetumor.study.record import PAIRS, POSITIVE, Study, read_study
from freetumor.study.statistics import LEVEL, auc, check_libraries, confusion, rates, wilson

REPORT, NUMBERS = "report.html", "report.json"
_LEAST_SAMPLES = 100


def analyze(
    study_folder: str | Path,
    key_path: str | Path,
    out: str | Path,
    *,
    seed: int = 0,
    margin: float = 0.10,
    samples: int = 2000,
) -> dict:
    """Analyze the answers of a study and write the report: HTML, CSV, JSON and the figures as files.

    Args:
        key_path: the key that the study was made with; another one is refused.
        out: folder of the report; must not exist.
        seed, samples: of the bootstrap. margin: of the test of equivalence to chance, as a share.

    Returns:
        What report.json holds. The positive class is "synthetic" throughout.

    Raises:
        BadInput: kind "missing_library", "usage", "exists", "no_key", "other_key", "other_study",
            "no_answers", "damaged_answers".
        OutputError: the disk is full. Nothing is left behind.
    """
    check_libraries()
    check_margin(margin)
    if samples < _LEAST_SAMPLES:
        raise BadInput(f"{_LEAST_SAMPLES} resamples or more", f"{samples}", kind="usage")
    out = Path(out)
    check_free(out)
    study = read_study(study_folder)
    key = read_key(key_path, study)
    reads = join(study, key, read_answers(study.folder))
    if not reads.rows:
        raise BadInput(
            "answers in the main block or to pairs", f"none in {study.folder}",
            "Training answers do not count.", kind="no_answers",
        )  # fmt: skip
    result = measure(study, reads, seed=seed, margin=margin, samples=samples)
    result["balance"] = [dict(row) for row in key.balance]
    result["warnings"] = warnings(result, len(torn_lines(study.folder)))
    _write(out, result, reads, key)
    return result


def measure(study: Study, reads: Reads, *, seed: int, margin: float, samples: int) -> dict:
    """All numbers of the report; nothing is written."""
    rng = np.random.default_rng(seed)
    answered = np.isfinite(reads.main)
    counted = answered.mean(axis=1) >= HALF if reads.cases else np.zeros(len(reads.readers), bool)
    table, synthetic = reads.main[counted], reads.synthetic
    whole = {name: pooled(table, synthetic, name, reads.patients) for name in MEASURES}
    readers = {
        reader: _reader(reads, number, samples, rng) | {"pooled": bool(counted[number])}
        for number, reader in enumerate(reads.readers)
    }
    own = agreement.intra([first for first, _ in reads.again], [again for _, again in reads.again])
    shown = equivalence(whole["accuracy"], margin)
    return {
        "format": 1,
        "version": freetumor.__version__,
        "study": {"id": study.id, "title": study.title, "created": study.created, "organs": study.organs},
        "positive": POSITIVE,
        "level": LEVEL,
        "seed": seed,
        "samples": samples,
        "counts": {
            "readers_asked": len(study.readers),
            "readers_pooled": int(counted.sum()),
            "synthetic": int(synthetic.sum()),
            "real": int((~synthetic).sum()),
            "patients": len(set(reads.patients)),
            "reads": int(answered.sum()),
            "reads_pooled": int(answered[counted].sum()),
        },
        "pooled": {name: asdict(value) for name, value in whole.items()},
        "plain_bootstrap": crossed(table, synthetic, rng, samples) if counted.any() else {},
        "equivalence": None if shown is None else asdict(shown) | {"said": shown.said},
        "confusion": confusion(table, np.broadcast_to(synthetic, table.shape)),
        "ratings": _ratings(table, synthetic),
        "readers": readers,
        "organs": _parts(table, reads, reads.organs, sorted(set(reads.organs))),
        "size_classes": _parts(table, reads, reads.sizes, _sizes(reads.sizes)),
        "agreement": {
            "fleiss_kappa": asdict(agreement.fleiss(table, synthetic)),
            "krippendorff_alpha": asdict(agreement.alpha(table, synthetic)),
            "intra_reader_kappa": asdict(own),
            "cohen_kappa": _nan_to_none(agreement.cohen_pairs(reads.main)),
        },
        "forced_choice": _forced_choice(reads, margin),
        "times": summaries.times(reads),
        "cases": summaries.cases(reads),
        "clues": summaries.clues(reads),
    }


def _reader(reads: Reads, number: int, samples: int, rng: np.random.Generator) -> dict:
    name, row = reads.readers[number], reads.main[number]
    main, first = reads.of(name), [read for read in reads.of(name) if not read.repeat]
    counts = confusion(row, reads.synthetic)
    before, again = reads.again[number]
    same = np.isfinite(before)
    kappa, count = agreement.cohen(before, again)
    weighted, _ = agreement.cohen(before, again, weights="quadratic")
    pairs = reads.pairs[number]
    pairs = pairs[np.isfinite(pairs)]
    estimates = rates(counts) | {"auc": auc(row, reads.synthetic, rng, samples)}
    return {
        "cases": len(first),
        "cases_asked": len(reads.cases),
        "confusion": counts,
        **{measure: asdict(estimate) for measure, estimate in estimates.items()},
        "repeats": {
            "count": count,
            "kappa": kappa,
            "weighted_kappa": weighted,
            "same_answer": float(np.mean(before[same] == again[same])) if count else None,
        },
        "forced_choice": asdict(wilson(int(pairs.sum()), len(pairs))),
        "seconds": summaries.seconds(first),
        "window_changed": float(np.mean([read.window_changes > 0 for read in main])) if main else None,
        "changed_answers": sum(read.changes for read in (*main, *reads.of(name, PAIRS))),
    }


def _parts(table: np.ndarray, reads: Reads, labels: np.ndarray, names: list[str]) -> dict:
    """Organs, or size classes."""
    found = {}
    for name in names:
        part = labels == name
        synthetic = reads.synthetic[part]
        counts = int(synthetic.sum()), int((~synthetic).sum())
        found[name] = {
            "synthetic": counts[0],
            "real": counts[1],
            "few": min(counts) < FEW_IN_PART,
            **{
                measure: asdict(pooled(table[:, part], synthetic, measure, reads.patients[part]))
                for measure in MEASURES
            },
        }
    return found


def _sizes(sizes: np.ndarray) -> list[str]:
    there = set(sizes)
    return [name for name in SIZE_CLASSES if name in there] + sorted(there - set(SIZE_CLASSES))


def _ratings(table: np.ndarray, synthetic: np.ndarray) -> dict[str, list[int]]:
    """How often each of the six answers was given, by truth."""
    return {
        name: [int(np.count_nonzero(table[:, cases] == level)) for level in range(1, 7)]
        for name, cases in (("synthetic", synthetic), ("real", ~synthetic))
    }


def _forced_choice(reads: Reads, margin: float) -> dict | None:
    answered = np.isfinite(reads.pairs)
    if not answered.any():
        return None
    value = pooled_share(reads.pairs)
    shown = equivalence(value, margin)
    return {
        "pairs": int(answered.any(axis=0).sum()),
        "readers": int(answered.any(axis=1).sum()),
        "choices": int(answered.sum()),
        "right": int(np.nansum(reads.pairs)),
        "pooled": asdict(value),
        "equivalence": None if shown is None else asdict(shown) | {"said": shown.said},
        "by_confidence": summaries.by_confidence(reads),
    }


def _nan_to_none(table: np.ndarray) -> list[list[float | None]]:
    return [[float(value) if np.isfinite(value) else None for value in row] for row in table]


def _write(out: Path, result: dict, reads: Reads, key: Key) -> None:
    from freetumor.study.figures import draw_figures
    from freetumor.study.page import write_page
    from freetumor.study.tables import write_tables

    with appearing(out) as partial:
        write_json(partial / NUMBERS, result)
        write_tables(partial, result, reads)
        figures = draw_figures(partial / "figures", result, reads)
        write_page(partial / REPORT, result, key, figures)
