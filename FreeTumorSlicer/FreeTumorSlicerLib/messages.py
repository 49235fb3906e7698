"""Errors by kind, in words that say what to do next."""

from slicer.i18n import tr as _


def hintFor(kind: str) -> str:
    """What the user can do about an error of `kind`; empty where the message itself says it."""
    again = _("Remove it in the module FreeTumor, section Models, and bring it in again.")
    later = _("Check the network and press Download again: it goes on where it was.")
    resume = _("Change the values and press Resume, from the last checkpoint, or start another run.")
    hints = {
        "out_of_memory": _(
            "Close other programs or volumes, crop the CT to the organ, or choose the device 'cpu'."
        ),
        "killed": _("Most often the memory was used up. Close other programs, or crop the CT to the organ."),
        "missing_package": _("Install it in the module FreeTumor, section Set-up."),
        "crashed": _("The log below holds the details. Please report it with the log."),
        "rejected": _("Try another seed, size or place, or keep what fails the quality test."),
        "not_hu": _("Choose a CT in Hounsfield units."),
        "implausible_labels": _("Choose the labels of this very CT, and the organ they show."),
        "os": _("Check that the folder exists, can be written and has room."),
        "no_model": _("Import one in the module FreeTumor, section Models."),
        "wrong_organ": _("Choose a model for this organ."),
        "wrong_part": _("Choose another model."),
        "corrupt_weights": again,
        "no_weights": again,
        "offline": later,
        "interrupted": later,
        "refused": _("Try again later."),
        "no_gpu": _("Choose the device 'auto' or 'cpu'."),
        "missing_dependency": _("Install it in the module FreeTumor, section Set-up."),
        "consent": _("In the module FreeTumor, section Models, select it and press 'Accept terms'."),
        "ghost_tumor": resume,
        "wrong_contrast": resume,
        "leakage": resume,
        "classifier_collapse": resume,
        "not_finite": resume,
    }
    return hints.get(kind, "")


def titleOf(kind: str) -> str:
    """A kind of error as a short title."""
    titles = {
        "out_of_memory": _("Not enough memory"),
        "killed": _("The job was ended from outside"),
        "missing_package": _("A package is missing"),
        "crashed": _("The job failed"),
        "rejected": _("Rejected by the quality test"),
        "stopped": _("Stopped"),
        "exists": _("It exists already"),
        "disk_full": _("The disk is full"),
        "os": _("A file could not be read or written"),
        "no_model": _("No such model"),
        "wrong_organ": _("The model is for other organs"),
        "wrong_part": _("The model cannot do this"),
        "wrong_architecture": _("The file holds other networks"),
        "unsafe_checkpoint": _("The file was refused, as it holds more than numbers"),
        "corrupt_weights": _("The file of the model is damaged"),
        "no_weights": _("The file of the model is missing"),
        "offline": _("The server could not be reached"),
        "interrupted": _("The download broke off"),
        "refused": _("The server refused"),
        "no_gpu": _("The GPU cannot be used"),
        "ct_removed": _("There is nothing to show the result on"),
        "missing_dependency": _("A package is missing"),
        "consent": _("The terms of the model are not accepted"),
        "declined": _("The terms were not accepted"),
        "ghost_tumor": _("The training was given up: ghost tumors"),
        "wrong_contrast": _("The training was given up: contrast of the wrong sign"),
        "leakage": _("The training was given up: changes outside the organ"),
        "classifier_collapse": _("The training was given up: the classifier learns nothing"),
        "not_finite": _("The training was given up: its numbers are not finite"),
        "bad_config": _("Please check the configuration"),
        "no_cases": _("There are no cases to learn from"),
        "locked": _("The answers of this reader are open elsewhere"),
        "not_a_study": _("There is no reader study"),
        "damaged_answers": _("The answers of this reader were changed"),
    }
    return titles.get(kind, _("Please check the input"))


def explain(kind: str, message: str) -> str:
    """Title, message and hint as one text."""
    return " ".join(part for part in (f"{titleOf(kind)}:", message, hintFor(kind)) if part)
