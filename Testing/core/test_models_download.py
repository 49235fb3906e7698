"""Downloads from a server on this computer that does what servers and networks do."""

import errno
import json
import re
import shutil
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from freetumor import models
from freetumor.errors import BadInput, OutputError
from freetumor.models import Entry, download
from freetumor.models.download import DownloadError, download_model
from runs import command, tree
from small_models import record, small_model

PAGE = b"<!doctype html><html>Sign in, please</html>"


@dataclass
class Server:
    """What the server holds and how it behaves; `ranges` are those that it was asked for."""

    url: str = ""
    content: bytes = b""
    knows_ranges: bool = True
    cut_after: int | None = None  # bytes of an answer, then the connection is closed
    says_length: bool = True
    kind: str = "application/octet-stream"
    status: int = 200
    location: str = ""
    ranges: list = field(default_factory=list)


@pytest.fixture
def server(monkeypatch):
    """A server that holds the weights of a small model."""
    said = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked = self.headers.get("Range")
            said.ranges.append(asked)
            if said.status >= 300:
                self.send_response(said.status)
                if said.location:
                    self.send_header("Location", said.location)
                self.end_headers()
                return
            start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1]) if asked and said.knows_ranges else 0
            if start >= len(said.content):
                self.send_error(416)
                return
            body = said.content[start:]
            self.send_response(206 if start else 200)
            self.send_header("Content-Type", said.kind)
            if start:
                end, size = len(said.content) - 1, len(said.content)
                self.send_header("Content-Range", f"bytes {start}-{end}/{size}")
            if said.says_length:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: said.cut_after])

        def log_message(self, *_):
            pass

    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(download, "_BLOCK", 64)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        said.url = f"http://127.0.0.1:{running.server_port}/weights.safetensors"
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield said
        running.shutdown()
        thread.join()


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """The user's folder of models."""
    monkeypatch.setenv("FREETUMOR_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


@pytest.fixture
def entry(server, tmp_path):
    """The entry of a model whose weights are on the server."""
    made = small_model(tmp_path / "maker", licence="CC0")
    server.content = made.weights.read_bytes()
    said = record(licence="CC0", sha256=made.facts["sha256"], bytes=made.facts["bytes"])
    return Entry("download", said, server.url)


def fails(kind, entry):
    with pytest.raises(DownloadError) as error:
        download_model(entry)
    assert error.value.kind == kind, error.value
    return str(error.value)


def part_of(folder):
    (part,) = folder.glob(".small-*.part")
    return part


def test_a_model_is_downloaded_with_its_card_and_progress(server, entry, mine):
    shares = []
    model = download_model(entry, lambda message, share: shares.append(share))
    assert tree(mine) == ["small", "small/README.md", "small/model.json", "small/weights.safetensors"]
    assert model.weights.read_bytes() == server.content
    models.check_weights(models.find_model("small"))
    assert models.find_model("small").facts["licence"] == "CC0"
    assert len(shares) > 1
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert server.ranges == [None]
    with pytest.raises(BadInput, match="exists"):
        download_model(entry)
    assert server.ranges == [None]


@pytest.mark.parametrize("says_length", [True, False])
def test_an_interrupted_download_goes_on_where_it_was(server, entry, mine, says_length):
    server.cut_after, server.says_length = 70, says_length
    message = fails("interrupted", entry)
    assert f"70 of {len(server.content)} bytes" in message
    assert "run the command again" in message
    assert models.list_models() == []
    assert part_of(mine).read_bytes() == server.content[:70]
    server.cut_after = None
    download_model(entry)
    assert server.ranges == [None, "bytes=70-"]
    models.check_weights(models.find_model("small"))
    assert not list(mine.glob(".*"))


def test_a_server_without_ranges_sends_all_of_it_again(server, entry, mine):
    server.cut_after = 70
    fails("interrupted", entry)
    server.cut_after, server.knows_ranges = None, False
    download_model(entry)
    assert server.ranges == [None, "bytes=70-"]
    models.check_weights(models.find_model("small"))


def test_what_was_there_already_is_not_fetched_again(server, entry, mine):
    server.cut_after = 70
    fails("interrupted", entry)
    part_of(mine).write_bytes(server.content)
    download_model(entry)
    assert server.ranges == [None]
    models.check_weights(models.find_model("small"))


@pytest.mark.parametrize("start", [b"x" * 70, b"x" * 9999])
def test_the_start_of_something_else_is_thrown_away_by_the_checksum(server, entry, mine, start):
    server.cut_after = 70
    fails("interrupted", entry)
    part_of(mine).write_bytes(start)
    server.cut_after = None
    if len(start) < len(server.content):
        assert "SHA-256" in fails("checksum", entry)
        assert tree(mine) == []
    download_model(entry)
    models.check_weights(models.find_model("small"))


def test_a_file_of_another_content_or_size_is_removed(server, entry, mine):
    whole = server.content
    server.content = whole[:-1] + bytes([whole[-1] ^ 1])
    assert entry.record["sha256"] in fails("checksum", entry)
    assert tree(mine) == []
    for content, says_length in ((whole + b"more", True), (whole + b"more", False), (whole[:-3], True)):
        server.content, server.says_length = content, says_length
        assert f"expected {len(whole)} bytes" in fails("wrong_size", entry)
        assert tree(mine) == []


@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "application/octet-stream"])
def test_a_web_page_in_its_place_is_told(server, entry, mine, kind):
    server.kind = kind
    server.content = PAGE.ljust(entry.record["bytes"])
    assert "web page" in fails("web_page", entry)
    assert models.list_models() == []


@pytest.mark.parametrize("status", [403, 404, 500, 503])
def test_a_refusal_says_the_servers_reason_and_keeps_what_came(server, entry, mine, status):
    server.cut_after = 70
    fails("interrupted", entry)
    server.status, server.cut_after = status, None
    assert str(status) in fails("refused", entry)
    assert part_of(mine).stat().st_size == 70


def test_a_redirection_is_followed_only_to_a_safe_address(server, entry, mine):
    server.status, server.location = 302, "http://example.org/weights"
    assert "not https" in fails("refused", entry)
    assert tree(mine) == []


def test_without_a_connection_it_says_what_works_without_one(server, entry, mine):
    offline = Entry("download", entry.record, "http://127.0.0.1:9/weights.safetensors")
    message = fails("offline", offline)
    assert "127.0.0.1" in message
    assert "Installed models work" in message


def test_a_full_disk_is_told_before_and_while_it_fills(server, entry, mine, monkeypatch):
    usage = shutil.disk_usage("/")
    with monkeypatch.context() as patch:
        patch.setattr(download.shutil, "disk_usage", lambda _: usage._replace(free=10))
        with pytest.raises(OutputError, match="10 are free") as error:
            download_model(entry)
        assert error.value.kind == "disk_full"
        assert server.ranges == []

    class Full(type(mine)):
        def open(self, *args, **kwargs):
            super().open(*args, **kwargs).close()
            raise OSError(errno.ENOSPC, "No space left on device")

    part = Full(mine / ".small.part")
    with pytest.raises(OutputError, match="disk is full") as error:
        download.fetch(entry.url, part, entry.record["bytes"], entry.record["sha256"], lambda *_: None)
    assert error.value.kind == "disk_full"
    assert tree(mine) == []


def test_other_networks_than_the_entry_says_are_not_kept(server, entry, mine):
    wrong = Entry("download", entry.record | {"networks": {"generator": {"architecture": "a"}}}, entry.url)
    with pytest.raises(BadInput) as error:
        download_model(wrong)
    assert error.value.kind == "wrong_architecture"
    assert tree(mine) == []


def test_what_a_broken_off_download_left_can_be_removed(server, entry, mine):
    server.cut_after = 70
    fails("interrupted", entry)
    small_model(mine, "small-x")
    models.remove_model("small")
    assert [folder.name for folder in mine.iterdir()] == ["small-x"]


def test_the_command_downloads_from_a_catalogue(server, entry, mine, tmp_path):
    path = tmp_path / "registry.json"
    content = {"version": 1, "models": [{"kind": "download", "url": entry.url, "record": dict(entry.record)}]}
    path.write_text(json.dumps(content), "utf-8")
    listed = command("models", "list", "--registry", path, "--json").json
    assert (listed["installed"], listed["available"][0]["how"]) == ([], "freetumor models download small")
    said = command("models", "download", "small", "--registry", path, "--json")
    assert (said.code, said.err, said.json["status"]) == (0, "", "done")
    assert said.json["folder"] == str(mine / "small")
    listed = command("models", "list", "--registry", path, "--json").json
    assert ([row["name"] for row in listed["installed"]], listed["available"]) == (["small"], [])
    models.remove_model("small")
    server.status = 404
    said = command("models", "download", "small", "--registry", path, "--json")
    assert (said.code, said.json["kind"]) == (1, "refused")
    assert "404" in said.line
