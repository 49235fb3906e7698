"""The authors' released checkpoints, turned into models of ours.

``TGAN.pt`` holds three networks, whose tensors begin with ``netG.`` (generator), ``netD.`` (real / fake
critic) and ``netSeg.`` (the segmenter that the generator was trained to please). Other files hold a
segmenter alone. What was trained for which organs shows in the number of output channels.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from freetumor.anatomy import ORGANS, Organ
from freetumor.errors import BadInput
from freetumor.files import sha256
from freetumor.models import RESEARCH, Model, NetworkSpec, is_name, models_folder, save_model
from freetumor.nets.architectures import build
from freetumor.nets.checkpoint_files import read_checkpoint
from freetumor.nets.weights import check_fit, write_network_weights

_PARTS = {"netG.": "generator", "netD.": "classifier", "netSeg.": "segmenter"}
_OUTPUT = {
    "generator": "out_tr.final_conv.weight",
    "classifier": "out_tr.final_conv.weight",
    "segmenter": "out.conv.conv.weight",
}
# Output channels by label group: of the generator, and of a segmenter for all organs of the group.
_GENERATOR = {"abdomen": 3, "chest": 1}
_SEGMENTER = {"abdomen": 7, "chest": 2}
_ONE_ORGAN = 3  # output channels of a segmenter of one organ: background, organ, lesion

_LICENCE = "unknown: as stated by the authors of the checkpoint; research use"
_STATISTICS = (
    "Generator and critic normalise by the statistics of the batch at hand, also at inference, as published: "
    "the result for a patch depends on its extent and on what else is in the batch. FreeTumor gives them one "
    "patch at a time. Setting 'legacy' false takes the statistics of each patch by itself."
)
_ONE_CHANNEL = (
    "The generator has an output channel for each organ, but only the first was ever trained: it is used "
    "for all organs while the setting 'legacy' is true."
)
_UNTOLD = "The generator sees the image only, neither mask nor noise: one appearance for each image."
_CRITIC = "The file does not say what the channels of its critic (classifier) stand for: it is no judge."


def import_checkpoint(
    path: Path | str, group: str, name: str | None = None, organ: str | None = None
) -> Model:
    """See :func:`freetumor.nets.import_checkpoint`."""
    path = Path(path)
    if group not in _SEGMENTER:
        raise BadInput(f"a label group of {', '.join(_SEGMENTER)}", repr(group), kind="usage")
    name = _free_name(path, group, name)
    tensors, beside = read_checkpoint(path)
    states = _by_part(path, tensors)
    specs = {part: _spec(path, part, state) for part, state in states.items()}
    rows = _organs(path, specs, group, organ)
    if "segmenter" in specs:
        settings = dict(specs["segmenter"].settings)
        settings["classes"] = _classes(settings.pop("out_channels"), rows)
        specs["segmenter"] = NetworkSpec("swinunetr", settings)
    networks = {part: _network(path, specs[part], states[part], part) for part in specs}
    record = _record(path, name, rows, specs, beside)
    if "segmenter" in networks:
        # The authors gave out the segmenter of TGAN.pt by itself, too: as a judge it is the same network.
        record["segmenter_sha256"] = _fingerprint(networks["segmenter"])
    return save_model(models_folder(), record, lambda file: write_network_weights(file, networks))


def _free_name(path: Path, group: str, name: str | None) -> str:
    if name is None:
        stem = re.sub(r"[^A-Za-z0-9]+", "-", path.stem).strip("-").lower() or "checkpoint"
        name = stem[:50].strip("-") if group in stem else f"{stem[:50].strip('-')}-{group}"
    if not is_name(name):
        raise BadInput("a name of letters, digits and . _ - between them", repr(name), kind="usage")
    if (models_folder() / name).exists():
        raise BadInput(
            "a name that no installed model has",
            name,
            f"Choose another name, or remove that model first (freetumor models remove {name}).",
            kind="exists",
        )
    return name


def _by_part(path: Path, tensors: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """Tensors by part, under the names that the networks have here."""
    plain = {name.removeprefix("module."): value for name, value in tensors.items()}
    whole = any(name.startswith(tuple(_PARTS)) for name in plain)
    states: dict[str, dict[str, Tensor]] = {}
    for name, value in plain.items():
        prefix = next((p for p in _PARTS if name.startswith(p)), "" if whole else "netSeg.")
        if not prefix:
            raise BadInput(
                f"names that begin with {', '.join(_PARTS)} in {path}", name, kind="wrong_architecture"
            )
        key = name.removeprefix(prefix).removeprefix("module.")
        if key.startswith("swin_vit."):
            key = f"swinViT.{key.removeprefix('swin_vit.')}"
        states.setdefault(_PARTS[prefix], {})[key] = value
    if sum(map(len, states.values())) != len(tensors):
        raise BadInput(f"each tensor once in {path}", "some twice", kind="wrong_architecture")
    return states


def _spec(path: Path, part: str, state: Mapping[str, Tensor]) -> NetworkSpec:
    """The network that the tensors are of, as far as shapes tell."""
    output = state.get(_OUTPUT[part])
    stem = state.get("swinViT.patch_embed.proj.weight")
    known = output is not None and output.ndim == 5 and (part != "segmenter" or stem is not None)
    if not known:
        needed = _OUTPUT[part] if output is None or output.ndim != 5 else "swinViT.patch_embed.proj.weight"
        raise BadInput(
            f"the {part} of a released checkpoint, with {needed}",
            f"{path}, whose {len(state)} tensors are {', '.join(list(state)[:3])}, ...",
            "Only the networks of the authors' files can be imported: a 3-D U-Net and MONAI's SwinUNETR.",
            kind="wrong_architecture",
        )
    channels = int(output.shape[0])
    if part != "segmenter":
        return NetworkSpec("released-unet", {"out_channels": channels, "legacy": True})
    settings = {"feature_size": int(stem.shape[0]), "use_v2": any("layers1c." in key for key in state)}
    return NetworkSpec("swinunetr", {"out_channels": channels, **settings})


def _organs(path: Path, specs: Mapping[str, NetworkSpec], group: str, organ: str | None) -> list[Organ]:
    """Rows of the organs that the networks are for; raises where that is another group."""
    of_group = [row for row in ORGANS.values() if row.group == group]
    for part, by_group in (("generator", _GENERATOR), ("segmenter", _SEGMENTER)):
        channels = specs[part].settings["out_channels"] if part in specs else by_group[group]
        if channels == by_group[group] or (part == "segmenter" and channels == _ONE_ORGAN):
            continue
        other = [name for name, count in by_group.items() if count == channels]
        raise BadInput(
            f"a {part} for the {group}, which has {by_group[group]} output channels",
            f"{path}, whose {part} has {channels}",
            f"That is one for the {other[0]}: import it as such." if other else "",
            kind="wrong_organ" if other else "wrong_architecture",
        )
    single = "segmenter" in specs and specs["segmenter"].settings["out_channels"] == _ONE_ORGAN
    if not single or len({(row.organ_label, row.lesion_label) for row in of_group}) == 1:
        return of_group
    named = [
        row for row in of_group if row.name == organ or (organ is None and row.name in path.name.lower())
    ]
    if len(named) != 1:
        names = ", ".join(row.name for row in of_group)
        raise BadInput(
            f"the organ of a segmenter of one organ ({names})",
            organ or f"none in the file's name {path.name}",
            "Put the organ into the file's name: the file itself does not say it.",
            kind="usage",
        )
    return named


def _classes(channels: int, rows: list[Organ]) -> list[int]:
    """Label id of each output channel of a segmenter."""
    lesion, organ = rows[0].lesion_label, rows[0].organ_label
    return {2: [0, lesion], 3: [0, organ, lesion]}.get(channels, list(range(channels)))


def _network(path: Path, spec: NetworkSpec, state: Mapping[str, Tensor], part: str) -> nn.Module:
    try:
        network = build(spec)
    except ValueError as error:  # MONAI: a feature size that is not a multiple of 12
        raise BadInput(
            f"settings that {spec.architecture} can have",
            f"{path} with {dict(spec.settings)} ({error})",
            kind="wrong_architecture",
        ) from error
    # Index tables and counters, which some files leave out, are what the network itself computes.
    own = {key: value for key, value in network.state_dict().items() if not value.is_floating_point()}
    complete = {**own, **state}
    check_fit(complete, network, f"{part} of a released checkpoint in {path}")
    network.load_state_dict(complete)
    return network


def _fingerprint(network: nn.Module) -> str:
    digest = hashlib.sha256()
    for key, value in sorted(network.state_dict().items()):
        digest.update(key.encode())
        digest.update(value.numpy().tobytes())
    return digest.hexdigest()


def _record(
    path: Path, name: str, rows: list[Organ], specs: Mapping[str, NetworkSpec], beside: Mapping
) -> dict:
    """What ``model.json`` says; see :mod:`freetumor.models.record`."""
    first = rows[0]
    digest = sha256(path)
    legacy = "generator" in specs or "classifier" in specs
    quirks = [_STATISTICS] if legacy else []
    limits = ["The file does not say what it was trained on: a CT that you test it with may be among that."]
    if "generator" in specs:
        quirks += [_ONE_CHANNEL] if specs["generator"].settings["out_channels"] > 1 else []
        limits.append(_UNTOLD)
    if "classifier" in specs:
        limits.append(_CRITIC)
    record = {
        "name": name,
        "title": f"Released checkpoint {path.name} ({first.group})",
        "group": first.group,
        "organs": [row.name for row in rows],
        "networks": specs,
        "window": list(first.window),
        "spacing": list(first.working_spacing),
        "patch": list(first.patch),
        "trained_against": [],
        "licence": _LICENCE,
        "use": RESEARCH,
        "source": f"the file {path.name} (SHA-256 {digest}), by its tensors a released checkpoint "
        "of FreeTumor (arXiv 2502.18519)",
        "training_data": "not stated in the file",
        "limits": limits,
        "quirks": quirks,
        "source_file": path.name,
        "source_sha256": digest,
    }
    if isinstance(beside.get("epoch"), int):
        record["steps"] = f"epoch {beside['epoch']}, as the file says"
    return record
