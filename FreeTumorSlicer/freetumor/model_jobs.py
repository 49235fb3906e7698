"""Models into the user's store: a file or folder that the user has, and the jobs "import-model" and
"download-model", which can be stopped in between."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from freetumor.anatomy import organ as row_of
from freetumor.errors import BadInput
from freetumor.models import Model, catalogue_entry, copy_model, read_model
from freetumor.models.model import MODEL

if TYPE_CHECKING:
    from freetumor.jobs import Context


def import_model(
    path: Path, group: str | None = None, name: str | None = None, organ: str | None = None
) -> Model:
    """Bring a model into the user's store.

    Args:
        path: a checkpoint that the authors gave out (.pt), the folder of a model, or the model.json in it.
        group: label group of a checkpoint, "abdomen" or "chest". name: None takes the file's or the folder's.
        organ: of a checkpoint of one organ; None takes the one in the file's name.

    Raises:
        BadInput: nothing is there, the group is missing or another, or it is no such model; see
            :func:`freetumor.nets.import_checkpoint` and :func:`freetumor.models.copy_model`.
    """
    if path.name == MODEL:
        path = path.parent
    if not path.exists():
        raise BadInput(
            "a checkpoint or the folder of a model", f"{path}, which does not exist", kind="missing"
        )
    return _folder(path, group, name) if path.is_dir() else _checkpoint(path, group, name, organ)


def _checkpoint(path: Path, group: str | None, name: str | None, organ: str | None) -> Model:
    from freetumor.nets import import_checkpoint

    if group is None:
        raise BadInput(
            "the label group of a checkpoint, abdomen or chest",
            "none",
            "The file does not say it (--organ-group).",
            kind="usage",
        )
    return import_checkpoint(path, group, name, None if organ is None else row_of(organ).name)


def _folder(path: Path, group: str | None, name: str | None) -> Model:
    from freetumor.nets import architecture

    model = read_model(path)
    if group not in (None, model.group):
        raise BadInput(f"a model for the {group}", f"{model.name}, for the {model.group}", kind="wrong_organ")
    for part, spec in model.networks.items():
        if part not in architecture(spec.architecture).parts:
            raise BadInput(
                f"an architecture that can be a {part}", spec.architecture, kind="wrong_architecture"
            )
    return copy_model(model, name)


def import_job(context: Context) -> dict:
    """Parameters: ``file`` (see :func:`import_model`), ``group`` (of a checkpoint), ``name``."""
    given = context.parameters
    context.required("file")
    context.progress("reading and checking the model", 0.0)
    model = import_model(context.path("file"), given.get("group") or None, given.get("name") or None)
    return {"model": model.name, "folder": str(model.folder)}


def download_job(context: Context) -> dict:
    """Parameters: ``model`` (name in the catalogue)."""
    from freetumor.models.download import download_model

    model = download_model(catalogue_entry(str(context.required("model"))), context.progress)
    return {"model": model.name, "folder": str(model.folder)}
