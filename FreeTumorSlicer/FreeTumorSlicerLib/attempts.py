"""What the user asked for, tried: a refusal becomes words in the status line, and nothing is lost."""

from freetumor.errors import FreeTumorError
from slicer.i18n import tr as _

from FreeTumorSlicerLib.messages import explain


class Attempt:
    """Calls an action; says in `label` why it was refused.

    Args:
        label: the status line.
    """

    def __init__(self, label) -> None:
        self._label = label
        self.say("")

    def __call__(self, action, *arguments):
        """(True, result) of the action, or (False, None) if it was refused."""
        try:
            return True, action(*arguments)
        except FreeTumorError as error:
            self.say(explain(error.kind, str(error)))
        except MemoryError as error:
            self.say(explain("out_of_memory", str(error)))
        except ImportError as error:
            text = _("the Python package {name} is not installed").format(name=error.name)
            self.say(explain("missing_package", text))
        except OSError as error:
            self.say(explain("os", str(error)))
        return False, None

    def say(self, text: str) -> None:
        """Write into the status line, which takes no room while there is nothing to say."""
        self._label.text = text
        self._label.setVisible(bool(text))
