"""The learned judge: does a segmenter that was trained on real tumors find the lesion, and only the lesion?

After the quality test of the paper (arXiv 2502.18519), which keeps a sample if ``P = |S and M| / |M| > T``
with the segmenter's tumor prediction S and the mask M. That alone is passed by a segmenter that calls
everything tumor. So up to four things are asked, all on the CT's grid:

* **recall** ``|S and M| / |M| > T`` (0.7 by default, the paper's; the only one that can be set);
* **precision** ``|S and M| / |S near the lesion|``, at least 1/2: most of what is called tumor within 12 mm
  in the organ is the lesion. Lesions that are known not to be this one (real ones in the labels, synthetic
  ones made before) do not count, and neither does a border of one voxel of the working grid, which no
  segmenter knows better; outside the organ nothing counts, as a prediction there is cut off in use;
* **overlap**, the Dice coefficient of M and the predicted components that touch it, at least 0.4: with less,
  two balls of one size lie more than 4/10 of their diameter apart, and one would not be said to be the other;
* **cause** ``|S and M and not S before the edit| / |S and M|``, at least 1/2: what is found was not called
  tumor before there was one. A segmenter that calls everything tumor, or the whole organ, or everything of
  some HU, gets 0 here whatever the sizes of lesion, organ and patch, so that it can pass no sample.

The segmenter runs on one patch of its working grid, as small as lesion and context allow. For the cause it
runs once more, on the same patch without the edit: only if the lesion was found, and only if the organ
around it does not vouch for the segmenter already. It does where it has as many voxels as the lesion, and
at most a tenth of them are called tumor: that is no segmenter that calls everything tumor.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy import ndimage

from freetumor.anatomy import Organ
from freetumor.errors import BadInput
from freetumor.models import Model, check_consent, default_model, is_usable, list_models, model_for
from freetumor.quality.findings import Finding
from freetumor.quality.model_free import Evidence
from freetumor.synthesis.engines import Log, Options
from freetumor.synthesis.kept import Kept
from freetumor.synthesis.patch import Patch
from freetumor.synthesis.surroundings import Surroundings
from freetumor.volume import distance_up_to

THRESHOLD = 0.7
LEAST_PRECISION, LEAST_OVERLAP, LEAST_CAUSED = 0.5, 0.4, 0.5
NEAR_MM = 12.0
MOST_FALSE = 0.1  # share of the organ around a lesion that may be called tumor by one that is trusted
_BORDER, _OTHERS_BORDER = 1.0, 2.0  # voxels of the working grid
_TOUCHING = np.ones((3, 3, 3), bool)


def is_independent(judge: Model, generator: Model | None) -> bool:
    """Whether `generator` was not trained to please the segmenter of `judge`, nor that on its tumors."""
    if generator is None:
        return True
    # One segmenter may have been imported twice: alone, and with its generator.
    weights = ("sha256", "segmenter_sha256")
    same = any(judge.facts.get(k) and judge.facts.get(k) == generator.facts.get(k) for k in weights)
    taught = generator.name in judge.trained_against
    return not (same or taught or judge.name in (generator.name, *generator.trained_against))


def first_judge(models: Sequence[Model], generator: Model | None) -> Model:
    """Of several segmenters the one that judges: independent before all, then one that may be used."""
    return min(models, key=lambda model: (not is_independent(model, generator), not is_usable(model)))


class LearnedJudge:
    """Findings of the segmenter of `model` on tumors of `organ`; make one with :meth:`of`."""

    def __init__(
        self, model: Model, organ: Organ, options: Options, threshold: float, independent: bool, log: Log
    ) -> None:
        self.model, self.independent = model, independent
        self._organ, self._options, self._threshold, self._log = organ, options, threshold, log
        self._before = Kept()
        self._ran: dict[str, str] = {}

    @classmethod
    def of(
        cls, organ: Organ, options: Options, threshold: float, generator: Model | None, log: Log
    ) -> LearnedJudge:
        """The judge with the model of `options`, or else with :func:`first_judge`.

        Raises:
            BadInput: kind "no_model", "wrong_part", or "wrong_organ" (also: no class for its lesions);
                kind "consent": its terms were not accepted.
        """
        if options.model is not None:
            model = model_for("segmenter", organ.name, options.model)
        else:
            fitting = list_models("segmenter", organ.name) or [default_model("segmenter", organ.name)]
            model = check_consent(first_judge(fitting, generator))
        classes = list(model.network("segmenter").settings.get("classes", ()))
        if organ.lesion_label not in classes or len(classes) < 2:
            raise BadInput(
                f"a segmenter with a class for a {organ.title} (label {organ.lesion_label})",
                f"{model.name} with classes {', '.join(map(str, classes)) or 'that are not named'}",
                kind="wrong_organ",
            )
        independent = is_independent(model, generator)
        if not independent:
            log(
                f"the judge {model.name} is not independent: the generator {generator.name} was trained to "
                "please it; a segmenter of other training is the better judge (--judge-model)"
            )
        return cls(model, organ, options, threshold, independent, log)

    def record(self) -> dict:
        """For the provenance."""
        return {
            "model": self.model.name,
            "weights_sha256": self.model.facts["sha256"],
            "use": self.model.use,
            "threshold": self._threshold,
            "independent": self.independent,
            "least_precision": LEAST_PRECISION,
            "least_overlap": LEAST_OVERLAP,
            "least_caused": LEAST_CAUSED,
            **self._ran,
        }

    def __call__(self, evidence: Evidence) -> list[Finding]:
        """Recall, precision, overlap, and (if the lesion was found) cause.

        Raises:
            BadInput: kind "too_large", or the weights or the backend are not usable.
        """
        patch, predict = evidence.patch, self._predictor()
        seen = Surroundings.of(patch, self.model, predict.multiple)
        called = _on_ct(seen, self._margin(predict(seen.image(evidence.change)[None])))
        inside = patch.inside
        found = called & inside
        border = (_voxels_from(inside, seen) <= _BORDER) & ~inside
        around = np.isfinite(distance_up_to(NEAR_MM, patch.inside, patch.spacing))
        counts = around & ~patch.beyond & ~_others(patch, seen)
        near = called & counts
        parts, _ = ndimage.label(near, _TOUCHING)
        ours = np.isin(parts, np.unique(parts[found])) & near & ~border
        recall = found.sum() / inside.sum()
        precision = (near & (inside | border)).sum() / max(near.sum(), 1)
        overlap = 2 * found.sum() / (ours.sum() + inside.sum())
        findings = [self._recall(recall), self._precision(precision), self._overlap(overlap)]
        around = counts & ~inside & ~border
        vouched = around.sum() >= inside.sum() and (near & around).sum() <= MOST_FALSE * around.sum()
        if findings[0].passed and not vouched:
            before = self._before.get((seen.image(),), lambda image: self._margin(predict(image[None])))
            caused = (found & ~_on_ct(seen, before)).sum() / found.sum()
            findings.append(self._caused(caused))
        # Only now is it known: a backend may have given up while it computed.
        self._ran = {"device": predict.device, "backend": predict.backend}
        return findings

    def _predictor(self) -> Callable:
        from freetumor.nets import predictor

        options = self._options
        return predictor(
            self.model, "segmenter", device=options.device, backend=options.backend, log=self._log
        )

    def _margin(self, logits: np.ndarray) -> np.ndarray:
        """Probability of the lesion's class minus that of the best other one, (k, j, i) of `logits`."""
        classes = list(self.model.network("segmenter").settings["classes"])
        odds = np.exp(logits.astype(np.float32) - logits.max(axis=0))
        odds /= odds.sum(axis=0)
        lesion = classes.index(self._organ.lesion_label)
        return odds[lesion] - np.delete(odds, lesion, axis=0).max(axis=0)

    def _recall(self, value: float) -> Finding:
        reason = (
            f"the judge {self.model.name} finds {value:.0%} of the lesion (more than {self._threshold:.0%})"
        )
        return Finding(
            "recall", bool(value > self._threshold), float(value), "", f"> {self._threshold:g}", reason
        )

    def _precision(self, value: float) -> Finding:
        reason = (
            f"of what the judge {self.model.name} calls tumor near the lesion, {value:.0%} is the lesion "
            f"(at least {LEAST_PRECISION:.0%})"
        )
        return _least("precision", value, LEAST_PRECISION, reason)

    def _overlap(self, value: float) -> Finding:
        reason = (
            f"what the judge {self.model.name} finds overlaps the lesion with a Dice of {value:.2f} "
            f"(at least {LEAST_OVERLAP:g})"
        )
        return _least("overlap (Dice)", value, LEAST_OVERLAP, reason)

    def _caused(self, value: float) -> Finding:
        reason = (
            f"the judge {self.model.name} called {1 - value:.0%} of it tumor before there was one "
            f"(at most {1 - LEAST_CAUSED:.0%})"
        )
        return _least("cause", value, LEAST_CAUSED, reason)


def _least(name: str, value: float, least: float, reason: str) -> Finding:
    return Finding(name, bool(value >= least), float(value), "", f"≥ {least:g}", reason)


def _on_ct(seen: Surroundings, margin: np.ndarray) -> np.ndarray:
    """Where the lesion's class is the most probable one: bool, on the box of the patch in the CT.

    The margin is interpolated, not the classes, so that the border is not a staircase.
    """
    return seen.grid.back(margin, seen.patch.box, pad=-1.0) > 0


def _voxels_from(mask: np.ndarray, seen: Surroundings) -> np.ndarray:
    """Distance to `mask` in voxels of the working grid, or of the CT's where that is coarser."""
    spacing = np.array(seen.patch.spacing)
    voxel = np.empty(3)
    voxel[list(seen.grid.axes)] = seen.grid.spacing
    return ndimage.distance_transform_edt(~mask, sampling=spacing / np.maximum(voxel, spacing))


def _others(patch: Patch, seen: Surroundings) -> np.ndarray:
    """Lesions that are not this one, with their borders: bool."""
    others = patch.lesions & ~patch.inside
    if not others.any():
        return others
    return (_voxels_from(others, seen) <= _OTHERS_BORDER) & ~patch.inside
