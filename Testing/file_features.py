"""What a program can read of the cases of a reader study beside their tumors, and what it makes of it."""

from __future__ import annotations

import numpy as np
from freetumor.study import Study, StudyCase, read_key
from freetumor.study.key import default_key_path
from freetumor.synthesis.noise import noise_sigma
from freetumor.volume import read_volume

_BINS = np.linspace(-1024, 1024, 33)  # HU


def features(study: Study) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """File-level features of the main cases, whether they are synthetic, and their patients."""
    known, rows, classes, patients = read_key(default_key_path(study.folder), study).cases, [], [], []
    for name, case in study.cases.items():
        if known[name].role == "main":
            rows.append(features_of(case))
            classes.append(known[name].synthetic)
            patients.append(known[name].patient)
    return np.array(rows), np.array(classes), np.array(patients)


def features_of(case: StudyCase) -> list[float]:
    """What a program can read of a case without looking at its tumor."""
    volume = read_volume(case.file)
    size = case.file.stat().st_size
    place = volume.geometry.ras_to_index(np.array(case.center_ras_mm))
    ticks = [
        ((np.arange(n) - at) * step) ** 2
        for n, at, step in zip(volume.array.shape, place, volume.geometry.spacing, strict=True)
    ]
    outside = ticks[0][:, None, None] + ticks[1][:, None] + ticks[2] > case.radius_mm**2
    hu = volume.hu()
    lung = outside & (hu > -950) & (hu < -750)
    noise = [noise_sigma(hu, lung), noise_sigma(hu, outside & (np.abs(hu) < 100))]
    steps = [float(np.abs(np.diff(hu, axis=axis)).mean()) for axis in range(3)]
    histogram = np.histogram(hu[outside], _BINS)[0] / outside.sum()
    even = float((volume.array[outside] % 2 == 0).mean())
    header = [*volume.array.shape, *volume.geometry.affine.ravel()]
    return [size, size / volume.array.size, *header, *noise, *steps, even, *histogram]


def guessed(rows: np.ndarray, classes: np.ndarray, patients: np.ndarray) -> dict[str, float]:
    """Area under the ROC curve of two classifiers on patients that they were not trained on."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import GroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    makers = {
        "logistic": make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000)),
        "forest": RandomForestClassifier(60, min_samples_leaf=2, random_state=0),
    }
    folds = GroupKFold(min(5, len(set(patients))))
    return {
        name: roc_auc_score(
            classes,
            cross_val_predict(maker, rows, classes, groups=patients, cv=folds, method="predict_proba")[:, 1],
        )
        for name, maker in makers.items()
    }
