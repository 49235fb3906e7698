"""The job "train": the command ``freetumor train`` in a process of its own."""

from __future__ import annotations

from freetumor.errors import BadInput
from freetumor.jobs import STOP, Context


def train_in_folder(context: Context) -> dict:
    """Train a stage; parameters as the command's options.

    ``stage``; ``config``: the file; ``set``: a list of ``key=value``; ``resume`` and ``dry_run``: true or
    false. The run's folder is ``runs/NAME-STAGE`` in the job's, unless the configuration says another. A stop
    file ends the run after a checkpoint; the same job with ``resume`` goes on.

    Raises:
        BadInput: configuration or data are not usable. FreeTumorError: kind "stopped", or the run failed.
    """
    from freetumor.training import prepare_process
    from freetumor.training.config_file import read_config

    changes = context.parameters.get("set") or []
    if not isinstance(changes, list) or not all(isinstance(change, str) for change in changes):
        raise BadInput('a list of "key=value" as parameter set', repr(changes), kind="usage")
    stage = str(context.required("stage"))
    context.required("config")
    config = read_config(context.path("config"), stage, changes, context.folder)
    prepare_process()
    from freetumor.training import dry_run, train
    from freetumor.training.journal import Voice

    voice = Voice(
        log=lambda message: context.emit("log", message=message),
        progress=lambda message, share: context.emit("progress", message=message, share=round(share, 4)),
        stops=lambda: (context.folder / STOP).exists(),
    )
    if context.parameters.get("dry_run"):
        return dry_run.dry_run(config, voice)
    return train.train(config, voice, resume=bool(context.parameters.get("resume"))) or {}
