"""Research weights are used only after the user has accepted their terms: asked once for the same weights."""

import slicer
from freetumor.errors import FreeTumorError
from freetumor.models import accept, is_usable, terms
from slicer.i18n import tr as _


def require(models) -> None:
    """Ask for the consent to those of `models` that wait for it, and keep it.

    Raises:
        FreeTumorError: kind "declined": the user said no; or the consent cannot be kept.
    """
    for model in models:
        if is_usable(model):
            continue
        if not slicer.util.confirmYesNoDisplay(question(model), windowTitle=_("Research weights")):
            text = _("nothing was done with {name}; choose another model.").format(name=model.name)
            raise FreeTumorError(text, kind="declined")
        accept(model)


def question(model) -> str:
    """What the user is asked: the terms, and what a yes means."""
    return "\n\n".join(
        [
            _("The model {name} consists of research weights.").format(name=model.name),
            *terms(model),
            _(
                "They may be used for research only: not commercially, not for patients. The same holds for "
                "what is made or trained with them."
            ),
            _("Do you accept these terms? The answer is remembered for these weights."),
        ]
    )
