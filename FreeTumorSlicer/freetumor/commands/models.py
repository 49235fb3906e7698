"""``freetumor models``: list, info, accept, import, download, remove, path."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from freetumor.anatomy import ORGANS
from freetumor.commands.common import Json, progress, say
from freetumor.errors import BadInput

if TYPE_CHECKING:
    from freetumor.models import Entry, Model

app = typer.Typer(help="List, import, download and remove models; accept the terms of research weights.")
Name = Annotated[str, typer.Argument(help="Name of a model.", metavar="NAME")]
Registry = Annotated[Path | None, typer.Option(help="Another catalogue (JSON).", metavar="FILE")]


@app.callback(invoke_without_command=True)
def _models(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        sys.stdout.write(context.get_help() + "\n")


@app.command("list")
def list_(
    part: Annotated[
        str | None, typer.Option(help="Only with a generator, classifier or segmenter.", metavar="PART")
    ] = None,
    organ: Annotated[str | None, typer.Option(help=f"Only for one of {', '.join(ORGANS)}.")] = None,
    registry: Registry = None,
    as_json: Json = False,
) -> None:
    """List installed models, and those that can be had."""
    from freetumor.anatomy import organ as row_of
    from freetumor.models import catalogue, installed, list_models, models_folder

    organ = None if organ is None else row_of(organ).name
    models = list_models(part, organ)
    names = {model.name for model in models}
    entries = [
        entry
        for entry in catalogue(registry)
        if entry.name not in names
        and (organ is None or organ in entry.record["organs"])
        and (part is None or part in entry.parts)
    ]
    result = {
        "status": "done",
        "folder": str(models_folder()),
        "installed": [_row(model) for model in models],
        "broken": [{"folder": str(f), "message": str(error)} for f, error in installed()[1].items()],
        "available": [_entry_row(entry) for entry in entries],
    }
    say(result, as_json, _said(result))


@app.command()
def info(name: Name, registry: Registry = None, as_json: Json = False) -> None:
    """Show the card of a model, and check its weights."""
    from freetumor.models import catalogue, check_weights, find_model
    from freetumor.models.card import card
    from freetumor.models.record import read_record

    entry = next((entry for entry in catalogue(registry) if entry.name == name), None)
    try:
        model = find_model(name)
    except BadInput as error:
        if error.kind != "no_model" or entry is None:
            raise
        result = {"status": "done", "installed": False, **_entry_row(entry), "record": dict(entry.record)}
        facts = [
            f"{k}: {v if isinstance(v, str) else '; '.join(map(str, v))}" for k, v in entry.record.items()
        ]
        say(result, as_json, "\n".join(["not installed", f"to get it: {_how(entry)}", *facts]))
        return
    check_weights(model)
    record = read_record(model.folder)
    result = {"status": "done", "installed": True, **_row(model), "record": record}
    say(result, as_json, f"{card(record)}\nIn {model.folder}; the weights have that SHA-256.")


@app.command("accept")
def accept_(
    name: Annotated[str, typer.Argument(help="Name of a model, or its folder.", metavar="NAME")],
    as_json: Json = False,
) -> None:
    """Accept the terms of research weights, which are for research only; asked once for the same weights."""
    from freetumor.models import FREE, accept, find_model, terms

    model = find_model(name)
    if model.use == FREE:
        said = f"{model.name} needs no consent"
    else:
        said = "\n".join([*terms(model), f"Accepted, for research only; remembered in {accept(model)}"])
    say({"status": "done", **_row(model), "terms": terms(model)}, as_json, said)


@app.command("import")
def import_(
    path: Annotated[
        Path, typer.Argument(help="A checkpoint of the authors (.pt), or a model's folder.", metavar="FILE")
    ],
    organ_group: Annotated[
        str | None,
        typer.Option(help="What a checkpoint was trained for: abdomen or chest.", metavar="GROUP"),
    ] = None,
    organ: Annotated[
        str | None, typer.Option(help="The organ of a checkpoint with 3 classes.", metavar="NAME")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the model; made from the file's.", metavar="NAME")
    ] = None,
    as_json: Json = False,
) -> None:
    """Bring in a published checkpoint, or a model's folder."""
    from freetumor.model_jobs import import_model

    model = import_model(path, organ_group, name, organ)
    result = {"status": "done", **_row(model)}
    say(result, as_json, f"{_line(result)}\nin {model.folder}")


@app.command()
def download(name: Name, registry: Registry = None, as_json: Json = False) -> None:
    """Download a model; run it again if it broke off."""
    from freetumor.models import catalogue_entry
    from freetumor.models.download import download_model

    with progress() as step:
        model = download_model(catalogue_entry(name, registry), step)
    result = {"status": "done", **_row(model)}
    say(result, as_json, f"{_line(result)}\nin {model.folder}")


@app.command()
def remove(name: Name, as_json: Json = False) -> None:
    """Remove one of your own models from the disk."""
    from freetumor.models import remove_model

    folder = remove_model(name)
    say({"status": "done", "name": name, "removed": str(folder)}, as_json, f"removed {folder}")


@app.command()
def path(
    name: Annotated[str | None, typer.Argument(help="Of one model.", metavar="[NAME]")] = None,
    as_json: Json = False,
) -> None:
    """Print the folder of the models, or of one."""
    from freetumor.models import find_model, models_folder

    folder = models_folder() if name is None else find_model(name).folder
    say({"status": "done", "folder": str(folder)}, as_json, str(folder))


def _row(model: Model) -> dict:
    from freetumor.models import is_packaged, is_usable

    return {
        "name": model.name,
        "title": model.facts.get("title", model.name),
        "parts": list(model.networks),
        "organs": list(model.organs),
        "licence": model.facts.get("licence"),
        "use": model.use,
        "accepted": is_usable(model),
        "bytes": model.facts["bytes"],
        "folder": str(model.folder),
        "packaged": is_packaged(model),
    }


def _entry_row(entry: Entry) -> dict:
    from freetumor.models import use_of

    record = entry.record
    return {
        "name": entry.name,
        "title": record.get("title", entry.name),
        "parts": list(entry.parts),
        "organs": list(record["organs"]),
        "licence": record.get("licence"),
        "use": use_of(record),
        "bytes": record.get("bytes"),
        "kind": entry.kind,
        "how": _how(entry),
    }


def _how(entry: Entry) -> str:
    if entry.kind == "download":
        return f"freetumor models download {entry.name}"
    file = " or ".join(entry.files)
    return f"freetumor models import {file} --organ-group {entry.record['group']} ({entry.record['source']})"


def _said(result: dict) -> str:
    lines = ["Installed:", *(map(_line, result["installed"]) if result["installed"] else ["  none"])]
    if result["broken"]:
        lines += ["Not usable:", *(f"  {b['folder']}: {b['message']}" for b in result["broken"])]
    if result["available"]:
        lines += ["Can be had:"]
        for row in result["available"]:
            lines += [_line(row), f"    {row['how']}"]
    return "\n".join([*lines, f"Folder: {result['folder']}"])


def _line(row: dict) -> str:
    size = f", {row['bytes'] / 1e6:.0f} MB" if row["bytes"] else ""
    what = f"{', '.join(row['parts'])}; {', '.join(row['organs'])}{size}; {_use(row)}"
    what += "; comes with FreeTumor" if row.get("packaged") else ""
    return f"  {row['name']}: {row['title']} ({what})"


def _use(row: dict) -> str:
    """What the licence allows, and whether a consent to it is there (for what is installed)."""
    from freetumor.models import FREE

    if row["use"] == FREE:
        return "free"
    asked = f", first: freetumor models accept {row['name']}"
    return "research only" + ("" if row.get("accepted", True) else asked)
