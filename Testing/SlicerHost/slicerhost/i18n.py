"""``slicer.i18n``: texts come back as they are, after the checks that a translated Slicer would make."""

from __future__ import annotations

import sys
import types


def translate(context: str, text: str) -> str:
    """`text` in the language of the application: the host speaks English."""
    if not isinstance(context, str) or not isinstance(text, str):
        raise TypeError(
            f"expected two strings, got {type(context).__name__} and {type(text).__name__}: "
            "format after translating."
        )
    return text


def tr(text: str) -> str:
    """`text` in the language of the application; Slicer finds the context by the calling file."""
    return translate("", text)


def install() -> None:
    """Register ``slicer.i18n``."""
    import slicer

    if "slicer.i18n" not in sys.modules:
        module = types.ModuleType("slicer.i18n", __doc__)
        module.translate, module.tr = translate, tr
        sys.modules["slicer.i18n"] = slicer.i18n = module
