"""The weights file from outside: whole, unchanged, tensors of the right networks. Needs no torch.

A safetensors file is 8 bytes (length of the header, little endian), a JSON header ``{name: {"dtype", "shape",
"data_offsets": [begin, end]}}`` and the numbers (https://github.com/huggingface/safetensors).
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable
from pathlib import Path

from freetumor.errors import BadInput
from freetumor.files import sha256
from freetumor.models.model import Model

_LONGEST_HEADER = 100_000_000
_AGAIN = "Get it again ('freetumor models download' or 'import')."


def check_weights(model: Model) -> None:
    """The weights are those of the record, by size and SHA-256.

    Raises:
        BadInput: kind "corrupt_weights"; says whether they are missing, cut off, a web page, or changed.
    """
    check_size(model)
    got = sha256(model.weights)
    if got != model.facts["sha256"]:
        raise _corrupt(f"SHA-256 {model.facts['sha256']} in {model.weights}", got)


def check_size(model: Model) -> None:
    """The weights are there with the right size: what can be told without reading them.

    Raises:
        BadInput: kind "corrupt_weights".
    """
    path, expected = model.weights, model.facts["bytes"]
    if not path.is_file():
        raise _corrupt(f"the weights {path}", "no such file")
    _check_page(path)
    size = path.stat().st_size
    if size != expected:
        what = "cut off, " if size < expected else ""
        raise _corrupt(f"{expected} bytes in {path}", f"{what}{size} bytes")


def check_tensors(path: Path, parts: Iterable[str]) -> list[str]:
    """Names of the tensors in a safetensors file that holds the networks `parts` and nothing else.

    Raises:
        BadInput: kind "corrupt_weights" (no safetensors file, a web page, cut off) or "wrong_architecture"
            (tensors of other networks).
    """
    _check_page(path)
    header, start = _header(path)
    names = [name for name in header if name != "__metadata__"]
    ends = [header[name]["data_offsets"][1] for name in names]
    if start + max(ends, default=0) != path.stat().st_size:
        raise _corrupt(
            f"{start + max(ends, default=0)} bytes in {path}",
            f"{path.stat().st_size}; it was cut off or changed",
        )
    parts = set(parts)
    found = {name.partition(".")[0] for name in names}
    if found != parts:
        raise BadInput(
            f"tensors of {', '.join(sorted(parts))} in {path}",
            f"tensors of {', '.join(sorted(found)) or 'nothing'}",
            kind="wrong_architecture",
        )
    return names


def _header(path: Path) -> tuple[dict, int]:
    """The JSON header, and where the numbers start."""
    size = path.stat().st_size
    with path.open("rb") as file:
        first = file.read(8)
        length = struct.unpack("<Q", first)[0] if len(first) == 8 else 0
        if not 2 <= length <= min(_LONGEST_HEADER, size - 8):
            hint = (
                "PyTorch checkpoints are brought in with 'freetumor models import'."
                if first[:2] == b"PK"
                else _AGAIN
            )
            raise _corrupt(f"a whole safetensors file at {path}", f"{size} bytes that are none", hint)
        text = file.read(length)
    try:
        header = json.loads(text)
        for name, entry in header.items():
            if name != "__metadata__":
                begin, end = entry["data_offsets"]
                if not 0 <= begin <= end:
                    raise ValueError(f"offsets of {name}")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _corrupt(f"a safetensors file at {path}", f"a header that cannot be read ({error})") from error
    return header, 8 + length


def looks_like_page(start: bytes) -> bool:
    """Whether a file that starts so is a web page: what a proxy or a browser saves instead of a file."""
    return start[:64].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")


def _check_page(path: Path) -> None:
    with path.open("rb") as file:
        if looks_like_page(file.read(64)):
            raise _corrupt(f"weights at {path}", "a web page (HTML): the download was answered with a page")


def _corrupt(expected: str, got: str, hint: str = _AGAIN) -> BadInput:
    return BadInput(expected, got, hint, kind="corrupt_weights")
