"""How the numbers came about, in sentences for a manuscript."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

_LIBRARIES = ("numpy", "scipy", "statsmodels", "scikit-learn", "krippendorff")


def methods(result: dict) -> list[str]:
    """Paragraphs: reads, single readers, pooled values, equivalence, agreement, software."""
    counts, equivalence = result["counts"], result["equivalence"]
    said = [
        f"{counts['readers_pooled']} of {counts['readers_asked']} readers rated {counts['synthetic']} "
        f"synthetic and {counts['real']} real lesions of {counts['patients']} patients on a six-point scale "
        "from “certainly real” to “certainly synthetic”; 4 to 6 were taken as “synthetic”, the positive "
        "class. Training cases and repeats were left out, and in the pooled values readers with less than "
        "half of the cases.",
        "Sensitivity, specificity and accuracy of single readers: Wilson 95 % intervals. Area under the "
        "empirical ROC curve: percentile intervals of a stratified bootstrap of the cases "
        f"({result['samples']} resamples, seed {result['seed']}).",
        "Pooled values are means of the readers. Their intervals are for the populations of readers and "
        "cases: variance of Obuchowski and Rockette (1995) as given by Hillis (2014) for one modality, with "
        "jackknife covariances, cases of one patient as one cluster (Obuchowski 1997), Satterthwaite’s "
        "degrees of freedom with those of the cases, and limits of Wilson’s form with the effective number "
        "of reads and the quantile of t. In simulated studies of known readers they contain the truth in "
        "94 to 96 % (“freetumor study simulate” repeats this).",
    ]
    if equivalence is not None:
        said.append(
            f"Equivalence of the accuracy to chance ({equivalence['chance']:.0%}): two one-sided tests "
            f"(Schuirmann 1987) with a margin of {100 * equivalence['margin']:g} percentage points at "
            f"{equivalence['alpha']:.0%}, with the error of readers and cases."
        )
    said.append(
        "Agreement: Fleiss’ kappa of the binary answers, Krippendorff’s alpha of the ordered ratings, with "
        "intervals of the jackknife over readers and cases; Cohen’s kappa of each two readers and of each "
        "reader’s first and repeated answers."
    )
    accuracy = result["pooled"]["accuracy"]
    if accuracy["reader_sd"] is not None:
        said.append(
            f"For the next study: accuracy varied with a standard deviation of {accuracy['reader_sd']:.3f} "
            f"between readers and {accuracy['case_sd']:.3f} between cases; the design effect was "
            f"{accuracy['design_effect'] or 1:.1f}. “freetumor study plan” takes them as --reader-sd and "
            "--case-sd."
        )
    said.append(f"FreeTumor {result['version']} with {', '.join(_installed())}.")
    return said


def _installed() -> list[str]:
    found = []
    for name in _LIBRARIES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:  # part of an application that keeps no record of its packages
            found.append(name)
    return found
