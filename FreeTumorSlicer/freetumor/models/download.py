"""Download of a model of the catalogue: continued where it broke off, and there only when it is whole."""

from __future__ import annotations

import hashlib
import http.client
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from freetumor.errors import BadInput, FreeTumorError, OutputError
from freetumor.files import check_free, os_errors
from freetumor.models.catalogue import Entry, is_allowed
from freetumor.models.model import Model
from freetumor.models.store import models_folder, save_model
from freetumor.models.weights_file import looks_like_page

_BLOCK = 1 << 20
_PATIENCE_S = 30.0  # without a byte
_GOES_ON = ("offline", "refused", "interrupted", "web_page")  # after these what came so far is still good

Progress = Callable[[str, float], None]


class DownloadError(FreeTumorError):
    """The weights could not be fetched, or are not those of the catalogue.

    ``kind``: "offline", "refused", "interrupted", "web_page", "wrong_size" or "checksum".
    """


def download_model(entry: Entry, progress: Progress = lambda message, share: None) -> Model:
    """Download the weights of `entry` into the user's store; the model.

    What an interruption leaves (``.NAME-....part`` in the store) is the start of the next try.

    Args:
        progress: called with a message and the share done, 0..1.

    Raises:
        BadInput: the entry is none to download, there is a model of that name, or the file holds other
            networks than the entry says.
        DownloadError: see there; says what to do.
        OutputError: the disk is full.
    """
    if entry.kind != "download":
        raise BadInput(
            "a model that can be downloaded",
            f"{entry.name}, {entry.record['source']}",
            f"Get {' or '.join(entry.files)} there, then: freetumor models import FILE --organ-group "
            f"{entry.record['group']}",
            kind="not_for_download",
        )
    root = models_folder()
    check_free(root / entry.name)
    with os_errors(root):
        root.mkdir(parents=True, exist_ok=True)
    digest, size = entry.record["sha256"], entry.record["bytes"]
    # The checksum is in the name: the start of another version is never continued.
    part = root / f".{entry.name}-{digest[:12]}.part"
    fetch(entry.url, part, size, digest, progress)
    record = {k: v for k, v in entry.record.items() if k not in ("sha256", "bytes")}
    return save_model(root, record, part.rename)


def fetch(url: str, part: Path, size: int, sha256: str, progress: Progress) -> None:
    """Make `part` the file of `size` bytes with that SHA-256, continuing what is there of it.

    Raises:
        DownloadError, OutputError: `part` is left only where a next try can go on with it.
    """
    try:
        found = _transfer(url, part, size, progress)
        if found != sha256:
            raise DownloadError(
                f"{url} is not the file of the catalogue: expected SHA-256 {sha256}, got {found}. It was "
                "removed; try again, and if that fails the file was changed: update FreeTumor.",
                kind="checksum",
            )
    except (DownloadError, OutputError) as error:
        if error.kind not in _GOES_ON:
            part.unlink(missing_ok=True)
        raise


def _transfer(url: str, part: Path, size: int, progress: Progress) -> str:
    """Fetch what is missing of `part`; the SHA-256 of all of it, taken while it comes in."""
    have, digest = _already(part, size)
    if have == size:
        return digest.hexdigest()
    free = shutil.disk_usage(part.parent).free
    if free < size - have:
        raise OutputError(
            f"the disk is full: {size - have} bytes are to come, {free} are free at {part.parent}. Free some "
            "space or set FREETUMOR_MODELS to another folder.",
            kind="disk_full",
        )
    with _open(url, have) as answer:
        if have and not answer.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            have, digest = 0, hashlib.sha256()  # the server sends all of it
        length = answer.headers.get("Content-Length")
        if answer.headers.get_content_type() == "text/html":
            raise _page(url)
        if length is not None and int(length) != size - have:
            raise _wrong_size(url, size, have + int(length))
        with os_errors(part.parent), part.open("ab" if have else "wb") as file:
            for block in _blocks(answer, url, have, size):
                if have == 0 and looks_like_page(block):
                    raise _page(url)
                file.write(block)
                digest.update(block)
                have += len(block)
                progress(f"{have / 1e6:.1f} of {size / 1e6:.1f} MB", have / size)
    return digest.hexdigest()


def _already(part: Path, size: int) -> tuple[int, hashlib._Hash]:
    """Bytes that an earlier try left, and their SHA-256; more than there can be are not believed."""
    digest = hashlib.sha256()
    if not part.is_file() or part.stat().st_size > size:
        return 0, digest
    with part.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return part.stat().st_size, digest


def _blocks(answer: http.client.HTTPResponse, url: str, have: int, size: int) -> Iterator[bytes]:
    while True:
        try:
            block = answer.read(_BLOCK)
        except (OSError, http.client.HTTPException) as error:
            raise _interrupted(url, have, size, str(error) or type(error).__name__) from error
        have += len(block)
        if have > size:
            raise _wrong_size(url, size, have)
        if not block:
            break
        yield block
    if have < size:
        raise _interrupted(url, have, size, "the connection was closed")


def _open(url: str, have: int) -> http.client.HTTPResponse:
    """The answer to a request for all bytes from `have` on."""
    headers = {"User-Agent": "freetumor", **({"Range": f"bytes={have}-"} if have else {})}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310  the catalogue allows https only
    try:
        return urllib.request.build_opener(_Redirect).open(request, timeout=_PATIENCE_S)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and have:
                return _open(url, 0)
            raise DownloadError(
                f"the server refused {url}: {error.code} {error.reason}. Try later, or update FreeTumor if "
                "the file has moved.",
                kind="refused",
            ) from error
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or str(error) or type(error).__name__
        raise DownloadError(
            f"no connection to {urlsplit(url).hostname}: {reason}. Check the network and the proxy "
            "(HTTPS_PROXY). Installed models work without a connection; or download the model on another "
            "computer and bring its folder: freetumor models import FOLDER",
            kind="offline",
        ) from error


class _Redirect(urllib.request.HTTPRedirectHandler):
    """Follows only to where a catalogue may point, too."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        if not is_allowed(newurl):
            raise DownloadError(f"{req.full_url} leads to {newurl}, which is not https.", kind="refused")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _interrupted(url: str, have: int, size: int, reason: str) -> DownloadError:
    return DownloadError(
        f"the download of {url} was interrupted after {have} of {size} bytes ({reason}). What came is kept: "
        "run the command again and it goes on from there.",
        kind="interrupted",
    )


def _wrong_size(url: str, expected: int, got: int) -> DownloadError:
    return DownloadError(
        f"{url} is not the file of the catalogue: expected {expected} bytes, got {got}. Update FreeTumor.",
        kind="wrong_size",
    )


def _page(url: str) -> DownloadError:
    return DownloadError(
        f"{url} was answered with a web page instead of weights. Behind a proxy or a sign-in page, open the "
        "address in a browser first.",
        kind="web_page",
    )
