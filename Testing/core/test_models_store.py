"""Models on the disk: found, chosen, copied, removed; and each way in which one can be broken."""

import json
import subprocess
import sys

import pytest
from freetumor import models
from freetumor.errors import BadInput, OutputError
from freetumor.models import store
from runs import tree
from small_models import record, small_model, weights

GENERATOR = {"generator": {"architecture": "conditional-unet"}}


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """The user's folder of models, empty."""
    monkeypatch.setenv("FREETUMOR_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


@pytest.fixture
def packaged(tmp_path, monkeypatch):
    """The folder of models that come with the package, empty."""
    monkeypatch.setattr(store, "_PACKAGED", tmp_path / "packaged")
    return tmp_path / "packaged"


def refused(kind, function, *arguments):
    with pytest.raises(BadInput) as error:
        function(*arguments)
    assert error.value.kind == kind, error.value
    return str(error.value)


def test_a_saved_model_is_found_again_as_it_was(mine):
    said = record(trained_against=["teacher"], licence="CC BY 4.0", window=[-1000, 500.5])
    saved = models.save_model(mine, said, weights())
    assert tree(mine) == ["small", "small/README.md", "small/model.json", "small/weights.safetensors"]
    found = models.find_model("small")
    assert (found.name, found.folder, found.group) == ("small", mine / "small", "abdomen")
    assert (found.organs, found.window) == (("liver", "kidney"), (-1000.0, 500.5))
    assert (found.spacing, found.patch) == ((1.5, 1.5, 1.5), (96, 96, 96))
    assert found.trained_against == ("teacher",)
    assert found.network("segmenter").settings == {"classes": [0, 1, 2, 5, 6]}
    assert found.facts["licence"] == "CC BY 4.0"
    assert found.facts == saved.facts
    models.check_weights(found)
    assert "which has segmenter" in refused("wrong_part", found.network, "generator")


def test_specifications_may_be_given_as_they_are_used(mine):
    spec = models.NetworkSpec("voxelwise", {"classes": [0, 1]})
    models.save_model(mine, record(networks={"segmenter": spec}), weights())
    assert models.find_model("small").network("segmenter") == spec


def test_a_model_is_found_by_name_before_folder_and_by_path(mine, tmp_path, monkeypatch):
    small_model(mine, "one")
    elsewhere = small_model(tmp_path / "elsewhere", "two")
    assert models.find_model(str(elsewhere.folder)).name == "two"
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert models.find_model("two").folder.resolve() == elsewhere.folder
    small_model(tmp_path / "elsewhere", "one")
    assert models.find_model("one").folder == mine / "one"
    refused("not_a_model", models.find_model, tmp_path)
    message = refused("no_model", models.find_model, "three")
    assert "one" in message
    assert "freetumor models import" in message


def test_the_default_is_the_first_that_fits_the_users_before_the_packaged(mine, packaged):
    message = refused("no_model", models.default_model, "segmenter", "liver")
    assert "none installed" in message
    assert "freetumor models import" in message
    assert "procedural" in refused("no_model", models.default_model, "generator", "liver")
    small_model(packaged, "a")
    assert models.default_model("segmenter", "Liver").name == "a"
    small_model(mine, "c")
    small_model(mine, "b", organs=["kidney"])
    small_model(mine, "d", networks=GENERATOR)
    assert models.default_model("segmenter", "liver").name == "c"
    assert models.default_model("segmenter", "kidney").name == "b"
    assert models.default_model("generator", "liver").name == "d"
    message = refused("no_model", models.default_model, "segmenter", "pancreas")
    assert "only b, c, a, made for other organs" in message
    assert [m.name for m in models.list_models()] == ["b", "c", "d", "a"]
    assert [m.name for m in models.list_models(part="segmenter", organ="kidney")] == ["b", "c", "a"]


def test_a_model_of_the_user_hides_a_packaged_one_of_its_name(mine, packaged):
    small_model(packaged, title="old")
    small_model(mine, title="new")
    assert [m.facts["title"] for m in models.list_models()] == ["new"]
    models.remove_model("small")
    assert models.find_model("small").facts["title"] == "old"
    assert "comes with FreeTumor" in refused("packaged", models.remove_model, "small")
    assert (packaged / "small" / "model.json").is_file()


def test_a_model_that_was_named_must_fit_the_part_and_the_organ(mine):
    small_model(mine)
    assert models.model_for("segmenter", "liver", "small").name == "small"
    assert models.model_for("segmenter", "liver").name == "small"
    assert "small, made for liver, kidney" in refused(
        "wrong_organ", models.model_for, "segmenter", "lung", "small"
    )
    refused("wrong_part", models.model_for, "generator", "liver", "small")
    refused("usage", models.model_for, "segmenter", "brain", "small")


def cut(path):
    path.write_bytes(path.read_bytes()[:-5])


def flip(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def as_page(path):
    path.write_bytes(b"\n<!DOCTYPE html><html>Sign in</html>")


@pytest.mark.parametrize(
    ("harm", "word"),
    [(cut, "cut off"), (flip, "SHA-256"), (as_page, "web page"), (lambda p: p.unlink(), "no such file")],
)
def test_weights_that_are_not_whole_are_told_from_each_other(mine, harm, word):
    model = small_model(mine)
    harm(model.weights)
    assert word in refused("corrupt_weights", models.check_weights, model)
    assert word in refused("corrupt_weights", models.copy_model, model, "copy")
    assert [f.name for f in mine.iterdir()] == ["small"]


def test_one_broken_model_hides_no_other_and_is_told(mine):
    small_model(mine, "good")
    cut(small_model(mine, "cut").weights)
    small_model(mine, "text").folder.joinpath("model.json").write_text("{", "utf-8")
    small_model(mine, "other").folder.rename(mine / "renamed")
    (mine / "stranger").mkdir()
    (mine / ".good.partial-1").mkdir()
    there, broken = models.installed()
    assert [m.name for m in there] == ["good"]
    assert {folder.name: error.kind for folder, error in broken.items()} == {
        "cut": "corrupt_weights",
        "text": "bad_model_record",
        "renamed": "bad_model_record",
    }
    assert "cut off" in refused("corrupt_weights", models.find_model, "cut")
    models.remove_model("good")
    assert "cut off" in refused("no_model", models.default_model, "segmenter", "liver")
    for name in ("cut", "text", "renamed"):
        models.remove_model(name)
    assert tree(mine) == [".good.partial-1", "stranger"]


@pytest.mark.parametrize(
    "name", ["../small", "/tmp", ".", "..", "", ".hidden", "a/b", "a\\b", "small/", "*", "s*"]
)
def test_only_names_are_removed_never_paths_or_patterns(mine, tmp_path, name):
    small_model(tmp_path)
    small_model(mine)
    before = tree(tmp_path)
    assert "small" in refused("no_model", models.remove_model, name)
    assert tree(tmp_path) == before


def test_removing_a_link_leaves_what_it_points_to(mine, tmp_path):
    elsewhere = small_model(tmp_path / "elsewhere")
    mine.mkdir()
    (mine / "small").symlink_to(elsewhere.folder)
    assert models.remove_model("small") == mine / "small"
    assert tree(mine) == []
    models.check_weights(elsewhere)


def test_nothing_is_overwritten_and_nothing_half_is_left(mine, monkeypatch):
    def full(path):
        path.write_bytes(b"some")
        raise OSError(28, "No space left on device")

    with pytest.raises(OutputError, match="disk is full"):
        models.save_model(mine, record(), full)
    assert not mine.exists()
    small_model(mine)
    before = tree(mine)
    assert "exists" in refused("exists", models.save_model, mine, record(), weights())
    refused("bad_model_record", models.save_model, mine, record("no/name"), weights())
    refused("bad_model_record", models.save_model, mine, record("other", organs=["lung"]), weights())
    assert tree(mine) == before


@pytest.mark.parametrize(
    ("write", "kind", "word"),
    [
        (weights(("generator",)), "wrong_architecture", "tensors of generator"),
        (weights(("segmenter", "generator")), "wrong_architecture", "generator, segmenter"),
        (as_page, "corrupt_weights", "web page"),
        (lambda p: p.write_bytes(b"PK\x03\x04" + bytes(60)), "corrupt_weights", "models import"),
        (lambda p: p.write_bytes(b""), "corrupt_weights", "0 bytes"),
        (lambda p: p.write_bytes((200).to_bytes(8, "little") + b"{}"), "corrupt_weights", "10 bytes"),
        (lambda p: p.write_bytes((2).to_bytes(8, "little") + b"[]"), "corrupt_weights", "header"),
        (lambda p: (weights()(p), cut(p)), "corrupt_weights", "cut off"),
    ],
)
def test_a_file_that_holds_other_things_than_the_networks_is_not_saved(mine, write, kind, word):
    assert word in refused(kind, models.save_model, mine, record(), write)
    assert not mine.exists()


def test_the_store_lies_where_the_platform_keeps_data(monkeypatch, tmp_path):
    monkeypatch.delenv("FREETUMOR_MODELS", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    for platform, expected in (
        ("linux", tmp_path / "xdg"),
        ("darwin", tmp_path / "Library" / "Application Support"),
        ("win32", tmp_path / "local"),
    ):
        monkeypatch.setattr("sys.platform", platform)
        assert models.models_folder() == expected / "freetumor" / "models"


def test_the_card_says_what_is_known_and_what_is_not(mine):
    metric = {
        "name": "Dice",
        "data": "held-out",
        "organ": "liver",
        "value": 0.81,
        "interval": [0.77, 0.84],
        "cases": 30,
    }
    small_model(
        mine,
        licence="CC BY 4.0",
        training_data=[{"name": "made up", "cases": 12, "licence": "CC0"}, {"name": "more"}],
        metrics=[metric],
        measured_seconds=[{"what": "one CT", "seconds": 12.5, "machine": "2 cores"}],
        quirks=["Sees no mask."],
    )
    card = (mine / "small" / "README.md").read_text("utf-8")
    assert "Not for clinical use" in card
    for said in (
        "Licence: CC BY 4.0",
        "made up: 12 cases, licence CC0",
        "more: cases not stated, licence not stated",
        "| Dice | liver | held-out | 0.81 | 0.77 to 0.84 (95%) | 30 |",
        "one CT: 12.5 s on 2 cores",
        "Sees no mask.",
        "Training steps: not stated",
        "Training hardware: not stated",
        "## Limits\nnot stated.",
        json.loads((mine / "small" / "model.json").read_text("utf-8"))["sha256"],
    ):
        assert said in card, said


def test_the_room_needs_no_torch():
    code = "import sys, freetumor.models, freetumor.commands.models; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
