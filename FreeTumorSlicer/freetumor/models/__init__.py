"""Models: records, the store, cards, the catalogue and downloads. Nothing here needs torch."""

from freetumor.models.catalogue import Entry, catalogue, catalogue_entry
from freetumor.models.consent import accept, accepted_for_now, check_consent, is_usable, preferred, terms
from freetumor.models.model import Model, NetworkSpec
from freetumor.models.places import models_folder
from freetumor.models.record import is_name, read_model
from freetumor.models.store import (
    copy_model,
    default_model,
    find_model,
    installed,
    is_packaged,
    list_models,
    model_for,
    remove_model,
    save_model,
)
from freetumor.models.use import FREE, RESEARCH, use_of, use_of_data
from freetumor.models.weights_file import check_tensors, check_weights

__all__ = [
    "FREE",
    "RESEARCH",
    "Entry",
    "Model",
    "NetworkSpec",
    "accept",
    "accepted_for_now",
    "catalogue",
    "catalogue_entry",
    "check_consent",
    "check_tensors",
    "check_weights",
    "copy_model",
    "default_model",
    "find_model",
    "installed",
    "is_name",
    "is_packaged",
    "is_usable",
    "list_models",
    "model_for",
    "models_folder",
    "preferred",
    "read_model",
    "remove_model",
    "save_model",
    "terms",
    "use_of",
    "use_of_data",
]
