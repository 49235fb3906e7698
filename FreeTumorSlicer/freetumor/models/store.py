"""The store: models in the user's data folder, models that come with the package, or a folder anywhere."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import freetumor
from freetumor.anatomy import Organ
from freetumor.anatomy import organ as row_of
from freetumor.errors import BadInput, FreeTumorError
from freetumor.files import appearing, os_errors, sha256, write_json
from freetumor.models.card import card
from freetumor.models.consent import check_consent, preferred
from freetumor.models.model import CARD, MODEL, WEIGHTS, Model, NetworkSpec
from freetumor.models.places import models_folder
from freetumor.models.record import check_record, is_name, model_of, read_model, read_record
from freetumor.models.weights_file import check_size, check_tensors, check_weights

_PACKAGED = Path(__file__).parent / "packaged"
_GET = (
    "'freetumor models import FILE --organ-group abdomen|chest' brings in a checkpoint that you have; "
    "'freetumor models list' shows what there is"
)


def is_packaged(model: Model) -> bool:
    """Whether it came with the package: such a model is not the user's to remove."""
    return model.folder.parent == _PACKAGED


def installed() -> tuple[list[Model], dict[Path, FreeTumorError]]:
    """Models that can be used, the user's first, and the folders that hold a broken one with the reason."""
    models: dict[str, Model] = {}
    broken: dict[Path, FreeTumorError] = {}
    for root in (models_folder(), _PACKAGED):
        for folder in sorted(root.iterdir()) if root.is_dir() else ():
            if not _is_model_folder(folder):
                continue  # half-written by a running command, or not ours
            try:
                model = _stored(folder)
                models.setdefault(model.name, model)
            except BadInput as error:
                broken[folder] = error
    return list(models.values()), broken


def list_models(part: str | None = None, organ: str | None = None) -> list[Model]:
    """Installed models with a network `part` trained on `organ`, the user's first, each by name.

    Segmenters of an organ are those that find its lesions; one of organs alone is for labels of organs.
    """
    row = None if organ is None else row_of(organ)
    return [
        model
        for model in installed()[0]
        if (part is None or part in model.networks)
        and (
            row is None or (row.name in model.organs and (part != "segmenter" or _finds_lesions(model, row)))
        )
    ]


def find_model(name_or_folder: str | Path) -> Model:
    """An installed model by name, or the one in a folder.

    Raises:
        BadInput: kind "no_model" with what there is and how to get one; kind "not_a_model" or
            "bad_model_record" where the folder holds no usable one.
    """
    models, broken = installed()
    for model in models:
        if model.name == str(name_or_folder):
            return model
    for folder, error in broken.items():
        if folder.name == str(name_or_folder):
            raise error
    folder = Path(name_or_folder)
    if folder.is_dir():
        return read_model(folder)
    there = ", ".join(model.name for model in models) or "none installed"
    raise BadInput(
        f"an installed model ({there}) or the folder of one",
        repr(str(name_or_folder)),
        _GET + ".",
        kind="no_model",
    )


def default_model(part: str, organ: str) -> Model:
    """The first installed model with a network `part` trained on `organ`, of those that may be used.

    Where none may without consent, the first one that fits.

    Raises:
        BadInput: kind "no_model"; says what to do.
    """
    organ = row_of(organ).name
    fitting = list_models(part, organ)
    if fitting:
        return preferred(fitting)
    others = [m.name for m in list_models(part)]
    got = f"only {', '.join(others)}, made for other organs" if others else "none installed"
    broken = installed()[1]
    if broken:
        got += f" (not usable: {'; '.join(map(str, broken.values()))})"
    hint = _GET + ("; --engine procedural needs no model" if part == "generator" else "")
    raise BadInput(f"a model with a {part} for the {organ}", got, hint + ".", kind="no_model")


def model_for(part: str, organ: str, name: str | None = None) -> Model:
    """The model `name`, or without one the default, with a network `part` that was trained on `organ`.

    Raises:
        BadInput: kind "no_model", "wrong_part" or "wrong_organ"; "consent": see :func:`check_consent`.
    """
    if name is None:
        return check_consent(default_model(part, organ))
    model = find_model(name)
    model.network(part)
    if row_of(organ).name not in model.organs:
        fitting = ", ".join(m.name for m in list_models(part, organ)) or "none installed"
        raise BadInput(
            f"a model for the {organ} ({fitting})",
            f"{model.name}, made for {', '.join(model.organs)}",
            kind="wrong_organ",
        )
    return check_consent(model)


def save_model(folder_parent: str | Path, record: Mapping, write_weights: Callable[[Path], None]) -> Model:
    """Write a model as the folder ``folder_parent/NAME``, whole or not at all.

    Args:
        record: as in ``model.json`` (see :mod:`freetumor.models.record`) without "sha256" and "bytes", which
            are added; networks as dictionaries or as :class:`NetworkSpec`.
        write_weights: writes the safetensors file to the path that it is given.

    Raises:
        BadInput: the record is wrong, the folder exists or cannot be made, or the weights are no safetensors
            file with tensors of these networks.
        OutputError: the disk is full. Nothing is left behind.
    """
    networks = {part: _plain(spec) for part, spec in record.get("networks", {}).items()}
    record = {"freetumor": freetumor.__version__, **record, "networks": networks}
    check_record(record, "the model's record", weights=False)
    folder = Path(folder_parent) / record["name"]
    with appearing(folder) as partial:
        weights = partial / WEIGHTS
        write_weights(weights)
        check_tensors(weights, networks)
        record |= {"sha256": sha256(weights), "bytes": weights.stat().st_size}
        write_json(partial / MODEL, record)
        (partial / CARD).write_text(card(record), encoding="utf-8")
    return model_of(record, folder)


def copy_model(model: Model, name: str | None = None) -> Model:
    """Copy a model from anywhere into the user's store, perhaps under another `name`.

    Raises:
        BadInput: its weights are damaged, or there is one of that name.
    """
    check_weights(model)
    record = read_record(model.folder) | {"name": name or model.name}
    return save_model(models_folder(), record, lambda path: shutil.copyfile(model.weights, path))


def remove_model(name: str) -> Path:
    """Remove a model of the user's with what a broken-off download of it left; the folder that is gone.

    Raises:
        BadInput: kind "no_model": no such model in the user's folder; kind "packaged": it came with the
            package.
    """
    root = models_folder()
    folder = root / name
    # Twelve digits: the start of another model whose name begins alike is not its.
    parts = list(root.glob(f".{name}-{'?' * 12}.part")) if is_name(name) else []
    there = is_name(name) and _is_model_folder(folder)
    if not there and not parts:
        mine = [f.name for f in sorted(root.iterdir()) if _is_model_folder(f)] if root.is_dir() else []
        own = f"the name of one of your own models ({', '.join(mine) or 'none'})"
        if is_name(name) and _is_model_folder(_PACKAGED / name):
            raise BadInput(
                own,
                f"{name!r}, which comes with FreeTumor",
                "It stays with it and takes no room of yours; your own models are used before it.",
                kind="packaged",
            )
        raise BadInput(own, repr(name), kind="no_model")
    with os_errors(folder):
        for part in parts:
            part.unlink()
        if folder.is_symlink():
            folder.unlink()  # what it points to lies elsewhere and stays
        elif there:
            # Renamed first: a removal that is cut off leaves no model that looks whole.
            going = folder.with_name(f".{name}.partial-{os.getpid()}")
            folder.rename(going)
            shutil.rmtree(going)
    return folder


def _finds_lesions(model: Model, organ: Organ) -> bool:
    """Whether its segmenter has a class for lesions of `organ`, or does not say what its classes are."""
    classes = model.network("segmenter").settings.get("classes")
    return classes is None or organ.lesion_label in classes


def _is_model_folder(folder: Path) -> bool:
    return is_name(folder.name) and any((folder / name).is_file() for name in (MODEL, WEIGHTS))


def _stored(folder: Path) -> Model:
    model = read_model(folder)
    if model.name != folder.name:
        raise BadInput(
            f"the model {model.name} in a folder of that name", str(folder), kind="bad_model_record"
        )
    check_size(model)
    return model


def _plain(spec: Mapping | NetworkSpec) -> Mapping:
    if isinstance(spec, NetworkSpec):
        return {"architecture": spec.architecture, "settings": dict(spec.settings)}
    return spec
