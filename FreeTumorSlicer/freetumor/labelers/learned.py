"""Organs by a segmenter of the model store."""

from __future__ import annotations

from collections.abc import Sequence

import freetumor
from freetumor.anatomy import Organ
from freetumor.errors import BadInput
from freetumor.labelers.labeler import Labelled, Options
from freetumor.models import Model, check_consent, find_model, list_models, preferred
from freetumor.segmentation.organ_map import check_organs, organ_classes, segment_organs
from freetumor.volume import Volume


def obstacle(organs: Sequence[Organ], options: Options) -> BadInput | None:
    """The model that is missing, or may not be used yet."""
    try:
        _model(organs, options)
    except BadInput as error:
        return error
    return None


def label(ct: Volume, organs: Sequence[Organ], options: Options) -> Labelled:
    """See :func:`freetumor.segmentation.organ_map.segment_organs`."""
    model = _model(organs, options)
    labels, facts = segment_organs(
        ct,
        organs,
        model,
        lesions=options.lesions,
        crumbs=options.crumbs,
        device=options.device,
        backend=options.backend,
        progress=options.progress,
        log=options.log,
    )
    # Nothing that another run of the same may have otherwise.
    told = ("spacing_mm", "tile", "overlap", "lesions", "crumbs_left_out_ml")
    record = {
        "name": "learned",
        "version": freetumor.__version__,
        "model": model.name,
        "weights_sha256": facts["sha256"],
        "licence": model.facts.get("licence", "not stated"),
        "use": model.use,
        **{key: facts[key] for key in told},
    }
    return Labelled(labels, record)


def _model(organs: Sequence[Organ], options: Options) -> Model:
    """The model that is asked for, or the first that has a class for all of `organs`."""
    if options.model is not None:
        model = find_model(options.model)
        check_organs(model, organs)
        return check_consent(model)
    wanted = [row.name for row in organs]
    labelled = {model: organ_classes(model) for model in list_models("segmenter")}
    fitting = [model for model, names in labelled.items() if names.issuperset(wanted)]
    if fitting:
        return check_consent(preferred(fitting))
    some = [name for name in wanted if any(name in names for names in labelled.values())]
    least = f"Ask for less (--organs {','.join(some)}), or bring one in" if some else "It is brought in"
    others = [f"{model.name} ({', '.join(sorted(names))})" for model, names in labelled.items() if names]
    raise BadInput(
        f"a model that labels {', '.join(wanted)}",
        f"only {', '.join(others)}" if others else "none installed",
        f"{least} with 'freetumor models import FOLDER', or train it with the recipe "
        "abdomen-organs-laptop.toml.",
        kind="no_model",
    )
