"""What is installed, and its installation when the user asks for it. Nothing happens at import."""

import importlib.metadata
from pathlib import Path

from slicer.i18n import tr as _

REQUIREMENTS = "Resources/freetumor-requirements.txt"
# Name on the package index, and what it is needed for. PyTorch comes through its own extension.
_NEEDED = (
    ("numpy", lambda: _("everything")),
    ("scipy", lambda: _("everything")),
    ("SimpleITK", lambda: _("CT files")),
    ("pillow", lambda: _("previews")),
    ("connected-components-3d", lambda: _("lesion lists")),
    ("torch", lambda: _("models")),
    ("monai", lambda: _("models")),
    ("einops", lambda: _("models")),
    ("safetensors", lambda: _("models")),
    ("openvino", lambda: _("speed (optional)")),
    ("lightning", lambda: _("training (optional)")),
)
OPTIONAL = ("openvino", "lightning")
_ON_TORCH = ("monai", "lightning")  # pip would bring a PyTorch of its own with it


def status() -> list:
    """(name, version or None, what it is needed for) of every package; imports none of them."""
    return [(name, _version(name), purpose()) for name, purpose in _NEEDED]


def missing(optional: bool = False) -> list:
    """Names of the packages that are not installed; the optional ones only if they are asked for."""
    wanted = [name for name, _purpose in _NEEDED if optional or name not in OPTIONAL]
    return [name for name in wanted if _version(name) is None]


def install(progress=lambda message: None, optional: bool = False) -> bool:
    """Install what is missing, after the user's click; True if all of it is there then.

    PyTorch is left to the PyTorch extension, which knows the build that fits the GPU; numpy and SimpleITK are
    Slicer's own and never replaced.

    Raises:
        RuntimeError: the user declined, or the extension PyTorch is missing; the message says so.
    """
    from slicer.packaging import load_requirements, pip_ensure

    wanted = [r for r in load_requirements(requirementsPath()) if optional or r.name not in OPTIONAL]
    progress(_("Installing packages"))
    pip_ensure([r for r in wanted if r.name not in _ON_TORCH], requester="FreeTumor")
    if _version("torch") is None:
        progress(_("Installing PyTorch"))
        installTorch()
    pip_ensure([r for r in wanted if r.name in _ON_TORCH], requester="FreeTumor")
    return not missing(optional)


def installTorch() -> None:
    """Install PyTorch through the extension PyTorch; says what to do where that is missing."""
    try:
        import PyTorchUtils
    except ImportError as error:
        raise RuntimeError(
            _("The extension PyTorch is missing: install it in the Extensions Manager and restart 3D Slicer.")
        ) from error
    logic = PyTorchUtils.PyTorchUtilsLogic()
    if not logic.torchInstalled() and logic.installTorch(askConfirmation=True) is None:
        raise RuntimeError(_("PyTorch was not installed; see the module PyTorch Utils."))


def requirementsPath() -> Path:
    """The requirements of the extension: beside this library, in the repository as installed."""
    return Path(__file__).resolve().parents[1] / REQUIREMENTS


def _version(name: str):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
