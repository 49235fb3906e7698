"""How each kind of source is read; adding a kind is adding a row to :data:`KINDS`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from freetumor.anatomy import ORGANS
from freetumor.cases.case import CT, LABELS, PROVENANCE, TUMOR_MASK
from freetumor.errors import BadInput
from freetumor.models import RESEARCH
from freetumor.training.sources import AUTOMATIC, Case, Reader, Source
from freetumor.volume.reading import suffix_of

_DATASET = "dataset.json"
_GROUPS = tuple(dict.fromkeys(row.group for row in ORGANS.values()))


def _msd(source: Source) -> list[Case]:
    """Medical Segmentation Decathlon: a task's folder with ``dataset.json``, which lists the images."""
    folder, described = _described(source)
    group = _group(source, described)
    labels = _table(described, "labels", source)
    if not all(value.isdecimal() and isinstance(name, str) for value, name in labels.items()):
        raise _bad(source, 'labels as {"1": NAME}', repr(dict(labels))[:80], "Or is it of kind nnunet?")
    named = {name: int(value) for value, name in labels.items()}
    label_map = source.ids(group, named)
    entries = described.get(source.part)
    if not isinstance(entries, list):
        raise _bad(source, f"a list of images in its {_DATASET}, {source.part!r}", repr(entries)[:80])
    cases = []
    for entry in entries:
        pair = {"image": entry} if isinstance(entry, str) else entry  # "test" lists images alone
        if not isinstance(pair, Mapping) or not isinstance(pair.get("image"), str):
            raise _bad(source, 'entries {"image": FILE, "label": FILE}', repr(entry)[:80])
        ct = folder / pair["image"]
        name = ct.name.removesuffix(suffix_of(ct))
        labels = folder / pair["label"] if "label" in pair else None
        cases.append(
            source.case(
                name=name,
                patient=f"{folder.resolve().name}/{name}",
                ct=ct,
                labels=labels,
                group=group,
                label_map=label_map if labels else (),
                licence=described.get("licence") or described.get("license"),
            )
        )
    return cases


def _nnunet(source: Source) -> list[Case]:
    """nnU-Net raw folder: ``dataset.json``, imagesTr/NAME_0000.nii.gz, labelsTr/NAME.nii.gz (imagesTs)."""
    folder, described = _described(source)
    group = _group(source, described)
    named = _table(described, "labels", source)
    if not all(isinstance(value, int) for value in named.values()):
        raise _bad(source, "labels as {NAME: 1}", repr(dict(named))[:80], "Or is it of kind msd?")
    channels = described.get("channel_names") or described.get("modality") or {"0": "CT"}
    if len(channels) != 1:
        raise _bad(source, "images of one channel, the CT", f"{len(channels)} channels")
    ending = described.get("file_ending", ".nii.gz")
    training = source.part == "training"
    images = folder / ("imagesTr" if training else "imagesTs")
    label_map = source.ids(group, named)
    cases = []
    for ct in sorted(images.glob(f"*_0000{ending}")):
        name = ct.name.removesuffix(f"_0000{ending}")
        cases.append(
            source.case(
                name=name,
                patient=f"{folder.resolve().name}/{name}",
                ct=ct,
                labels=folder / "labelsTr" / f"{name}{ending}" if training else None,
                group=group,
                label_map=label_map if training else (),
                licence=described.get("licence") or described.get("license"),
            )
        )
    return cases


def _case_folders(source: Source) -> list[Case]:
    """Sub-folders with ct.nii.gz and labels.nii.gz: made by ``freetumor synthesize``, or of real scans."""
    if not source.path.is_dir():
        raise _missing(source, "a folder of case folders")
    cases = []
    for folder in sorted(path for path in source.path.iterdir() if (path / CT).is_file()):
        if folder.name.startswith("."):
            continue
        record = _json(folder / PROVENANCE, source) if (folder / PROVENANCE).is_file() else {}
        group = _group(source, record)
        origin = record.get("input", {}).get("ct_sha256")
        labels = folder / LABELS if (folder / LABELS).is_file() else None
        if labels and not record and source.organs is None:
            raise _unsaid(source, folder.name)
        cases.append(
            _licensed(source, record).case(
                name=folder.name,
                # All tumors in one CT are one patient's.
                patient=origin or folder.name,
                ct=folder / CT,
                labels=labels,
                group=group,
                organs=(record["organ"],) if "organ" in record else None,
                # Nobody looked for the real lesions of the scan.
                lesions_known=False,
                tumor_mask=folder / TUMOR_MASK if record else None,
                origin=origin,
            )
        )
    return cases


def _licensed(source: Source, record: Mapping) -> Source:
    """The source of a case with that provenance: what research weights made is for research, too."""
    made_with = [record.get("model") or {}, *record.get("judges", ())]
    if all(model.get("use") != RESEARCH for model in made_with):
        return source
    return replace(source, licence=f"{source.licence or 'not stated'}; made with research weights")


def _list(source: Source) -> list[Case]:
    """A JSON list of the fields of :class:`Case`, or an object with ``cases`` as a data catalogue has it."""
    content = _json(source.path, source)
    root = source.path.parent
    if isinstance(content, list):
        return [_listed_case(entry, root, source) for entry in content]
    if not isinstance(content, Mapping) or not isinstance(content.get("cases"), list):
        raise _bad(source, "a JSON list of cases, or an object with 'cases'", f"a {type(content).__name__}")
    return [_catalogue_case(entry, root, source) for entry in content["cases"]]


def _listed_case(entry: object, root: Path, source: Source) -> Case:
    if not isinstance(entry, Mapping) or not {"name", "ct"} <= set(entry):
        raise _bad(source, "cases with at least 'name' and 'ct'", repr(entry)[:80])
    unknown = sorted(set(entry) - set(Case.__dataclass_fields__))
    if unknown:
        raise _bad(source, f"fields of {', '.join(Case.__dataclass_fields__)}", ", ".join(unknown))
    given = dict(entry)
    for key in ("ct", "labels", "tumor_mask", "organ_labels", "contours"):
        if given.get(key) is not None and given[key] != AUTOMATIC:
            given[key] = root / given[key]
    given["organs"] = tuple(entry["organs"]) if "organs" in entry else None
    given["group"] = _group(source, entry)
    if entry.get("label_map"):
        pairs = entry["label_map"]
        pairs = pairs.items() if isinstance(pairs, Mapping) else pairs
        given["label_map"] = tuple((int(value), int(target)) for value, target in pairs)
    elif given.get("labels") and given["organs"] is None and source.organs is None:
        raise _unsaid(source, entry["name"])
    return source.case(**{"patient": entry["name"], **given})


def _catalogue_case(entry: object, root: Path, source: Source) -> Case:
    """A case of a catalogue: id, group, files, patient, labels that say which ids the map holds."""
    try:
        group = next(g for g in _GROUPS if entry["group"].startswith(g))
        held = {int(value): label["name"] for value, label in entry.get("labels", {}).items()}
        files = entry["files"]
        # "Absent" and "nobody looked" are told apart by a lesion label only: without one it is not known.
        return source.case(
            name=entry["id"],
            patient=entry["patient"],
            ct=root / files["ct"],
            labels=root / files["labels"] if "labels" in files else None,
            group=group,
            label_map=tuple(sorted((value, value) for value in held)),
            licence=entry.get("licence"),
            split=entry.get("split"),
        )
    except (KeyError, TypeError, ValueError, AttributeError, StopIteration) as error:
        said = f"{repr(entry)[:80]}... ({type(error).__name__}: {error})"
        raise _bad(source, "cases with id, group, files, patient and labels", said) from error


KINDS: Mapping[str, Reader] = MappingProxyType(
    {"msd": _msd, "nnunet": _nnunet, "cases": _case_folders, "list": _list}
)


def _described(source: Source) -> tuple[Path, Mapping]:
    folder = source.path.parent if source.path.name == _DATASET else source.path
    if not (folder / _DATASET).is_file():
        raise _missing(source, f"a folder with {_DATASET}")
    content = _json(folder / _DATASET, source)
    if not isinstance(content, Mapping):
        raise _bad(source, f"an object in {_DATASET}", f"a {type(content).__name__}")
    if "freetumor" in content:
        raise _bad(
            source,
            "real scans",
            f"an export of synthetic cases ({folder / _DATASET})",
            'Give the folder of the case folders it was made from, as kind = "cases".',
        )
    return folder, content


def _table(described: Mapping, key: str, source: Source) -> Mapping:
    if not isinstance(described.get(key), Mapping):
        raise _bad(source, f"a table {key!r} in its {_DATASET}", repr(described.get(key))[:80])
    return described[key]


def _group(source: Source, described: Mapping) -> str:
    """The group that `described` says, or else the source."""
    group = described.get("group") or source.group
    if group not in _GROUPS:
        raise _bad(source, f"a group of {', '.join(_GROUPS)}", repr(group), 'Say it: group = "abdomen".')
    return group


def _json(path: Path, source: Source) -> object:
    try:
        return json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, IsADirectoryError) as error:
        raise _missing(source, f"a JSON file {path}") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise _bad(source, f"JSON in {path}", str(error)) from error


def _unsaid(source: Source, name: str) -> BadInput:
    hint = "A label map does not say which organs somebody looked for."
    return _bad(source, f"the organs that are labelled in {name} (organs = [...])", "nothing", hint)


def _missing(source: Source, what: str) -> BadInput:
    return BadInput(
        f"{what} for a source of kind {source.kind}",
        f"{source.path} without it" if source.path.exists() else f"{source.path}, which does not exist",
        "Check its path and kind.",
        kind="not_found",
    )


def _bad(source: Source, expected: str, got: str, hint: str = "") -> BadInput:
    return BadInput(
        f"in the source {source.path} of kind {source.kind}: {expected}", got, hint, kind="bad_source"
    )
