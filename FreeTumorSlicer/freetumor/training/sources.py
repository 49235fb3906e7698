"""Sources of training cases: data lists, raw folders and case folders of several kinds, read into one form.

A source is a table (of a configuration file, say) with the keys of :class:`Source`; only `kind` and `path`
are needed everywhere. Label maps of any convention are translated by an explicit `label_map`.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from types import MappingProxyType

from freetumor.anatomy import ORGANS, group_labels
from freetumor.errors import BadInput
from freetumor.organs import CONVENTIONS

SIDES = ("train", "val", "test")
NOT_LABELLED = 255  # in labels: nothing is known of this voxel
IGNORE = "ignore"  # in a label map: becomes NOT_LABELLED
AUTOMATIC = "automatic"  # organ labels made from the CT
PARTS = ("training", "test")


@dataclass(frozen=True)
class Case:
    """A CT with what is known about it.

    Attributes:
        name: for messages. patient: cases of one patient are never divided.
        ct: file or DICOM folder. labels: label map on its grid; None where there is none.
        group: label group. organs: rows of the organ table whose organ is labelled in the end.
        lesions_known: whether the lesions of these organs are labelled, all of them.
        licence: of image and labels. split: the side that the source says it belongs to, of :data:`SIDES`.
        label_map: (id in `labels`, id of the group) pairs; empty: the group's own ids.
        organ_labels: a second label map, for organs that `labels` leaves out; or :data:`AUTOMATIC`.
        organ_convention: of the second label map.
        tumor_mask: synthetic tumors of a case folder, which `labels` holds as lesions.
        origin: fingerprint of the CT that synthetic tumors were put into.
        contours: file with contours of lesions, which go over the labels.
    """

    name: str
    patient: str
    ct: Path
    labels: Path | None
    group: str
    organs: tuple[str, ...]
    lesions_known: bool
    licence: str = ""
    split: str | None = None
    label_map: tuple[tuple[int, int], ...] = ()
    organ_labels: Path | str | None = None
    organ_convention: str = "freetumor"
    tumor_mask: Path | None = None
    origin: str | None = None
    contours: Path | None = None


@dataclass(frozen=True)
class Source:
    """What a source may say.

    Attributes:
        kind: of :data:`freetumor.training.source_kinds.KINDS`. path: folder or file.
        group: label group, where the data do not say it; where they do, only its cases are taken.
        part: "training", or "test" for the images without labels.
        label_map: name or id of a label in the data -> name of a label of the group (``liver tumor``,
            ``lesion``, ``background``), or "ignore" for voxels that nothing is known of.
        organs, lesions_known, licence, split: of all its cases, in place of what the data say.
        organ_labels: folder with label maps NAME.nii.gz of organs that the labels leave out, or "automatic".
        organ_convention: of these, "freetumor" or "totalsegmentator".
        contours: contours of lesions for some of its cases, which go over their labels: the name of those
            that come with FreeTumor (``crlm1006``), or a file; see :mod:`freetumor.training.contours`.
        licences: only cases with one of these licences. names: only these. leave_out: all but these.
    """

    kind: str
    path: Path
    group: str | None = None
    part: str = PARTS[0]
    label_map: Mapping[str, str] = field(default_factory=dict)
    organs: tuple[str, ...] | None = None
    lesions_known: bool | None = None
    licence: str | None = None
    split: str | None = None
    organ_labels: Path | str | None = None
    organ_convention: str = "freetumor"
    contours: Path | str | None = None
    licences: tuple[str, ...] | None = None
    names: tuple[str, ...] | None = None
    leave_out: tuple[str, ...] = ()

    def ids(self, group: str, named: Mapping[str, int]) -> tuple[tuple[int, int], ...]:
        """The label map as ids, for data with labels `named` (name -> id)."""
        known = group_labels(group)
        by_name = {**{str(v): v for v in named.values()}, **named}
        strangers = [name for name in self.label_map if name not in by_name]
        if strangers:
            raise _bad(f"labels of {self.path} in label_map ({', '.join(named)})", ", ".join(strangers))
        wanted = {by_name[name]: target for name, target in self.label_map.items()}
        pairs, missing = [], []
        for name, value in named.items():
            target = wanted.get(value, name)
            if target == IGNORE:
                pairs.append((value, NOT_LABELLED))
            elif target in known:
                pairs.append((value, known[target]))
            else:
                missing.append(name if target == name else f"{name} = {target}")
        if missing:
            raise _bad(
                f"a label_map from each label of {self.path} to one of {', '.join(known)} or {IGNORE}",
                f"none for {', '.join(missing)}",
                f'For example label_map = {{"{missing[0].split(" = ")[0]}" = "{[*known][-1]}"}}.',
            )
        return tuple(sorted(pairs))

    def case(self, **given: object) -> Case:
        """A case with what `given` says of it, and this source for all cases.

        Organs, and whether lesions are known, follow from the ids of its labels where nobody says so.
        """
        group = given["group"]
        ids = {target for _, target in given.get("label_map", ())}
        rows = [row for row in ORGANS.values() if row.group == group]
        labelled: dict[int, str] = {}  # of rows that share an organ the first
        for row in rows:
            if row.organ_label in ids:
                labelled.setdefault(row.organ_label, row.name)
        facts = {
            "organs": tuple(labelled.values()),
            "lesions_known": any(row.lesion_label in ids for row in rows),
            "organ_labels": self._organ_labels(given["name"]),
            "organ_convention": self.organ_convention,
            **{key: value for key, value in given.items() if value is not None},
        }
        said = ("organs", "lesions_known", "licence", "split")
        facts |= {key: getattr(self, key) for key in said if getattr(self, key) is not None}
        made = Case(**{"labels": None, **facts})
        strangers = [name for name in made.organs if name not in ORGANS or ORGANS[name].group != group]
        if strangers:
            raise _bad(f"organs of the {group}", f"{', '.join(strangers)} for {made.name} of {self.path}")
        if made.split not in (None, *SIDES):
            raise _bad(f"a split of {', '.join(SIDES)}", f"{made.split!r} for {made.name} of {self.path}")
        return made

    def _organ_labels(self, name: str) -> Path | str | None:
        if self.organ_labels in (None, AUTOMATIC):
            return self.organ_labels
        return Path(self.organ_labels) / f"{name}.nii.gz"


Reader = Callable[[Source], list[Case]]


def read_cases(source: Mapping, root: str | Path | None = None) -> list[Case]:
    """The cases of a source, in the order of their names.

    Args:
        source: keys of :class:`Source`. root: what its paths are relative to; the working folder if None.

    Raises:
        BadInput: kind "bad_source": a key or a value is wrong, the data are not of that kind, or a label has
            no translation; "not_found": a file that they name is missing; "no_cases": nothing is left.
    """
    from freetumor.training.contours import with_contours
    from freetumor.training.source_kinds import KINDS

    checked = _checked(source, Path(root) if root else Path(), KINDS)
    cases = sorted(KINDS[checked.kind](checked), key=lambda case: case.name)
    unknown = sorted({*(checked.names or ()), *checked.leave_out} - {case.name for case in cases})
    if unknown:
        raise _bad(f"names of cases of {checked.path}", f"{_listed(unknown)}, which it does not have")
    if checked.contours is not None:
        cases = with_contours(cases, checked.contours)
    kept = [
        case
        for case in cases
        if (checked.names is None or case.name in checked.names)
        and checked.group in (None, case.group)
        and case.name not in checked.leave_out
        and (checked.licences is None or case.licence in checked.licences)
    ]
    if not kept:
        found = _listed(sorted({case.licence or "not stated" for case in cases})) or "no case at all"
        raise BadInput(
            f"cases in {checked.path}",
            f"none that group, licences, names and leave_out leave over (licences: {found})",
            "Check part, group, licences, names and leave_out of the source.",
            kind="no_cases",
        )
    _check_files(kept, checked)
    return kept


def _checked(source: Mapping, root: Path, kinds: Mapping[str, Reader]) -> Source:
    from freetumor.training.contours import contours_file

    known = [f.name for f in fields(Source)]
    for key in source:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, 1)
            raise _bad(
                f"a key of {', '.join(known)}", repr(key), f"Did you mean {near[0]}?" if near else "", "key"
            )
    for key, kind in MappingProxyType({"kind": str, "path": str | Path}).items():
        if not isinstance(source.get(key), kind) or not source[key]:
            raise _bad(f"a {key}", repr(source.get(key)), "", key)
    choices = {
        "kind": (*kinds,),
        "group": (None, *dict.fromkeys(row.group for row in ORGANS.values())),
        "part": PARTS,
        "organ_convention": (*CONVENTIONS,),
        "lesions_known": (None, True, False),
    }
    for key, allowed in choices.items():
        if source.get(key, allowed[0]) not in allowed:
            words = ", ".join(str(a).lower() if isinstance(a, bool) else a for a in allowed if a is not None)
            raise _bad(f"one of {words}", repr(source[key]), "", key)
    made = dict(source)
    for key in ("organs", "licences", "names", "leave_out"):
        given = made.get(key)
        if given is not None:
            if not isinstance(given, list | tuple) or not all(isinstance(item, str) for item in given):
                raise _bad("a list of names", repr(given), "", key)
            made[key] = tuple(given)
    label_map = made.get("label_map", {})
    if not isinstance(label_map, Mapping) or not all(isinstance(v, str) for v in label_map.values()):
        raise _bad("a table from labels of the data to labels of the group", repr(label_map), "", "label_map")
    made["label_map"] = {str(name): target for name, target in label_map.items()}
    made["path"] = root / Path(made["path"]).expanduser()
    if made.get("organ_labels") not in (None, AUTOMATIC):
        made["organ_labels"] = root / Path(made["organ_labels"]).expanduser()
    if made.get("contours") is not None:
        made["contours"] = contours_file(made["contours"], root)
    return replace(Source(made["kind"], made["path"]), **made)


def _check_files(cases: list[Case], source: Source) -> None:
    missing = [
        path
        for case in cases
        for path in (case.ct, case.labels, case.organ_labels, case.tumor_mask, case.contours)
        if isinstance(path, Path) and not path.exists()
    ]
    if missing:
        raise BadInput(
            f"the files of all cases of {source.path}",
            f"{len(missing)} missing: {_listed([str(path) for path in missing])}",
            "Complete the data set, or name the cases in leave_out.",
            kind="not_found",
        )


def _listed(names: list[str]) -> str:
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")


def _bad(expected: str, got: str, hint: str = "", key: str = "") -> BadInput:
    where = f"in a data source{f', {key}' if key else ''}: "
    return BadInput(where + expected, got, hint, kind="bad_source")
