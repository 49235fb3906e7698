"""Models: records, the store, cards, the catalogue and downloads. Nothing here needs torch."""

from freetumor.models.catalogue import Entry, catalogue, catalogue_entry
from freetumor.models.model import Model, NetworkSpec
from freetumor.models.record import is_name, read_model
from freetumor.models.store import (
    copy_model,
    default_model,
    find_model,
    installed,
    is_packaged,
    list_models,
    model_for,
    models_folder,
    remove_model,
    save_model,
)
from freetumor.models.weights_file import check_tensors, check_weights

__all__ = [
    "Entry",
    "Model",
    "NetworkSpec",
    "catalogue",
    "catalogue_entry",
    "check_tensors",
    "check_weights",
    "copy_model",
    "default_model",
    "find_model",
    "installed",
    "is_name",
    "is_packaged",
    "list_models",
    "model_for",
    "models_folder",
    "read_model",
    "remove_model",
    "save_model",
]
