"""What is installed, and its installation when the user asks for it. Nothing happens at import."""

import importlib.metadata
from pathlib import Path

from slicer.i18n import tr as _

REQUIREMENTS = "Resources/freetumor-requirements.txt"
# Name on the package index, and where it is needed. PyTorch comes through its own extension.
_NEEDED = (
    ("numpy", lambda: _("everything")),
    ("scipy", lambda: _("everything")),
    ("SimpleITK", lambda: _("reading and writing volumes")),
    ("pillow", lambda: _("previews in case folders")),
    ("torch", lambda: _("learned models")),
    ("monai", lambda: _("learned models")),
)


def status() -> list:
    """(name, version or None, what it is needed for) of every package; imports none of them."""
    return [(name, _version(name), purpose()) for name, purpose in _NEEDED]


def install(progress=lambda message: None) -> bool:
    """Install what is missing, after the user's click; True if all of it is there then.

    PyTorch is left to the PyTorch extension, which knows the build that fits the GPU; numpy and SimpleITK are
    Slicer's own and never replaced.

    Raises:
        RuntimeError: the user declined, or the extension PyTorch is missing; the message says so.
    """
    from slicer.packaging import load_requirements, pip_ensure

    progress(_("Installing packages"))
    pip_ensure(load_requirements(requirementsPath()), requester="FreeTumor")
    if _version("torch") is None:
        progress(_("Installing PyTorch"))
        installTorch()
    return all(version is not None for _name, version, _purpose in status())


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
