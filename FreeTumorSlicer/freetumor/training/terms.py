"""What a trained model may be used for: no more than its data allow, and the models that it learned from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from freetumor.models import FREE, RESEARCH, Model, use_of, use_of_data
from freetumor.training.configuration import Config


def terms_of(config: Config, facts: Mapping, built_on: Iterable[Model]) -> dict:
    """``use`` and ``limits`` of the model's record; the limits tell why it is for research only.

    Args:
        facts: of :func:`freetumor.training.feeding.facts`. built_on: critic, engine's model, judge.
    """
    reasons = [
        f"{data['cases']} case{'s' * (data['cases'] > 1)} under the licence '{data['licence']}'"
        for data in facts.get("training_data", ())
        if use_of_data([data["licence"]]) == RESEARCH
    ]
    reasons += [f"the research weights {model.name}" for model in built_on if model.use == RESEARCH]
    if not reasons and use_of({"use": FREE, "licence": config.licence}) == RESEARCH:
        reasons = [f"the licence '{config.licence}' of the configuration"]
    limits, drawn = list(config.limits), facts.get("non_expert_contours", ())
    if drawn:
        limits.append(
            f"Tumors of {', '.join(drawn)} were contoured by non-experts, with contours of FreeTumor."
        )
    if not reasons:
        return {"use": FREE, "limits": limits}
    return {"use": RESEARCH, "limits": [*limits, f"Research only, by {'; '.join(reasons)}."]}
