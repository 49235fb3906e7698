"""``freetumor models``: every part of it, through the command."""

import shutil

import pytest
import torch
from freetumor import models
from freetumor.nets import build
from runs import command, tree
from small_models import small_model


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """The user's folder of models, empty."""
    monkeypatch.setenv("FREETUMOR_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


def done(*arguments):
    """The object of a run that must succeed; the same run in words must, too."""
    said = command(*arguments, "--json")
    assert (said.code, said.err, said.json["status"]) == (0, "", "done"), said
    return said.json


def refused(kind, *arguments):
    said = command(*arguments, "--json")
    assert (said.code, said.json["status"], said.json["kind"]) == (2, "error", kind), said
    assert said.line == f"freetumor: {said.json['message']}"
    return said.json["message"]


def test_the_commands_are_listed():
    said = command("models")
    assert said.code == 0
    assert said.out == command("models", "--help").out
    assert "models" in command("--help").out
    for name in ("list", "info", "accept", "import", "download", "remove", "path"):
        assert f"  {name} " in said.out
        assert "--json" in command("models", name, "-h").out
    assert command("models", "bogus").code == 2


def test_an_empty_store_lists_what_can_be_had(mine):
    result = done("models", "list")
    assert (result["folder"], result["installed"], result["broken"]) == (str(mine), [], [])
    assert {row["kind"] for row in result["available"]} == {"import"}
    assert all("freetumor models import" in row["how"] for row in result["available"])
    said = command("models", "list").out
    assert "TGAN.pt --organ-group chest" in said
    assert "  none" in said
    result = done("models", "list", "--organ", "Covid", "--part", "generator")
    assert [row["name"] for row in result["available"]] == ["tgan-chest"]


def test_installed_models_are_listed_shown_and_removed(mine):
    model = small_model(mine, licence="CC0")
    small_model(mine, "broken").weights.write_bytes(b"<html>")
    result = done("models", "list")
    assert result["installed"] == [
        {
            "name": "small", "title": "made for tests", "parts": ["segmenter"], "organs": ["liver", "kidney"],
            "licence": "CC0", "use": "free", "accepted": True, "bytes": model.facts["bytes"],
            "folder": str(mine / "small"), "packaged": False,
        }
    ]  # fmt: skip
    assert "web page" in result["broken"][0]["message"]
    said = command("models", "list").out
    assert "small: made for tests (segmenter; liver, kidney" in said
    assert "web page" in said
    assert done("models", "list", "--organ", "pancreas")["installed"] == []
    assert done("models", "info", "small")["record"]["sha256"] == model.facts["sha256"]
    assert "Licence: CC0" in command("models", "info", "small").out
    assert done("models", "path", "small")["folder"] == str(mine / "small")
    assert command("models", "path").out == f"{mine}\n"
    assert done("models", "remove", "small")["removed"] == str(mine / "small")
    assert done("models", "remove", "broken")
    assert tree(mine) == []
    for what in ("info", "remove", "path", "download"):
        refused("no_model", "models", what, "small")


def test_info_tells_what_is_known_of_a_model_that_is_not_there(mine):
    result = done("models", "info", "tgan-abdomen")
    assert result["installed"] is False
    assert result["record"]["organs"] == ["liver", "pancreas", "kidney"]
    said = command("models", "info", "tgan-abdomen").out
    assert "not installed" in said
    assert "import TGAN.pt --organ-group abdomen" in said
    message = refused("not_for_download", "models", "download", "tgan-abdomen")
    assert "the authors of FreeTumor" in message
    assert "freetumor models import" in message


def test_info_refuses_weights_that_were_changed(mine):
    model = small_model(mine)
    content = bytearray(model.weights.read_bytes())
    content[-1] ^= 1
    model.weights.write_bytes(content)
    assert "SHA-256" in refused("corrupt_weights", "models", "info", "small")


def test_the_folder_of_a_model_is_imported_as_a_copy(mine, tmp_path):
    other = small_model(tmp_path / "other", licence="CC0")
    assert done("models", "import", other.folder)["folder"] == str(mine / "small")
    assert models.find_model("small").facts == other.facts
    models.check_weights(models.find_model("small"))
    assert "exists" in refused("exists", "models", "import", other.folder)
    done("models", "import", other.folder, "--name", "second", "--organ-group", "abdomen")
    shutil.rmtree(other.folder)
    assert [m.name for m in models.list_models()] == ["second", "small"]
    assert "made for tests" in command("models", "list").out


@pytest.mark.parametrize(
    ("kind", "change", "options", "word"),
    [
        ("wrong_architecture", {"networks": {"segmenter": {"architecture": "resnet"}}}, (), "'resnet'"),
        ("wrong_architecture", {"networks": {"generator": {"architecture": "swinunetr"}}}, (), "generator"),
        ("wrong_organ", {}, ("--organ-group", "chest"), "for the abdomen"),
        ("bad_model_record", {}, ("--name", "../out"), "name"),
    ],
)
def test_a_folder_that_does_not_fit_is_not_imported(mine, tmp_path, kind, change, options, word):
    other = small_model(tmp_path / "other", **change)
    assert word in refused(kind, "models", "import", other.folder, *options)
    assert not mine.exists()
    assert tree(tmp_path) == [
        "other", "other/small",
        "other/small/README.md", "other/small/model.json", "other/small/weights.safetensors",
    ]  # fmt: skip


def test_what_is_no_model_is_not_imported(mine, tmp_path):
    other = small_model(tmp_path / "other")
    other.weights.write_bytes(other.weights.read_bytes()[:-3])
    assert "cut off" in refused("corrupt_weights", "models", "import", other.folder)
    refused("not_a_model", "models", "import", tmp_path)
    refused("missing", "models", "import", tmp_path / "TGAN.pt", "--organ-group", "abdomen")
    (tmp_path / "TGAN.pt").write_bytes(b"PK")
    assert "--organ-group" in refused("usage", "models", "import", tmp_path / "TGAN.pt")
    assert not mine.exists()


def test_a_published_segmenter_is_imported_and_ready_to_use(mine, tmp_path):
    """One of a leaderboard: the published network in small, with 3 classes."""
    spec = models.NetworkSpec("swinunetr", {"out_channels": 3, "feature_size": 12, "use_v2": True})
    state = {f"module.{key}": value for key, value in build(spec).state_dict().items()}
    torch.save({"epoch": 1, "state_dict": state}, tmp_path / "model.pt")
    arguments = ("models", "import", tmp_path / "model.pt", "--organ-group", "abdomen")
    assert "organ" in refused("usage", *arguments)
    said = command(*arguments, "--organ", "Pancreas", "--json")
    assert (said.code, said.err) == (0, "")
    assert (said.json["name"], said.json["parts"]) == ("model-abdomen", ["segmenter"])
    model = models.default_model("segmenter", "pancreas")
    assert model.name == "model-abdomen"
    assert model.organs == ("pancreas",)
    assert model.use == "research"
    assert model.network("segmenter").settings["classes"] == [0, 3, 4]
    card = command("models", "info", "model-abdomen").out
    assert "Not for clinical use" in card
    assert "not stated in the file" in card
    assert "model-abdomen" in refused("exists", *arguments, "--organ", "pancreas")
    done("models", "remove", "model-abdomen")


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"<!DOCTYPE html><html>Sign in</html>", "corrupt_weights"),
        (b"", "corrupt_weights"),
        ({"state_dict": {"conv.weight": torch.zeros(3)}}, "wrong_architecture"),
    ],
)
def test_a_file_that_is_no_published_checkpoint_is_refused(mine, tmp_path, content, kind):
    path = tmp_path / "TGAN.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    refused(kind, "models", "import", path, "--organ-group", "chest")
    assert models.list_models() == []
