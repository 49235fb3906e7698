"""Records and the catalogue: what they must say, the same in plain words as in the JSON schemas."""

import json
from pathlib import Path

import jsonschema
import pytest
import referencing
from freetumor.anatomy import ORGANS
from freetumor.errors import BadInput
from freetumor.models import catalogue, catalogue_entry
from freetumor.models import record as record_module
from freetumor.models.catalogue import REGISTRY
from freetumor.models.record import FACTS, OF_WEIGHTS, REQUIRED, check_record
from small_models import record

FOLDER = Path(record_module.__file__).parent
SCHEMAS = {
    name: json.loads((FOLDER / name).read_text("utf-8"))
    for name in ("model.schema.json", "registry.schema.json")
}
WHOLE = record(sha256="0" * 64, bytes=100)
METRIC = {"name": "Dice", "data": "d", "value": 0.8, "interval": [0.7, 0.9], "cases": 5}
SECONDS = {"what": "one CT", "seconds": 3.5, "machine": "2 cores"}
NETWORK = {"architecture": "voxelwise"}

GOOD = [
    {},
    {"anything": {"else": [1]}, "made_by": "hand"},
    {"group": "chest", "organs": ["lung", "covid"]},
    {"networks": dict.fromkeys(("generator", "classifier", "segmenter"), NETWORK)},
    {"training_data": "none"},
    {"training_data": [{"name": "a"}, {"name": "b", "cases": 3, "licence": "CC0", "note": 1}]},
    {"metrics": [METRIC, METRIC | {"organ": "liver", "level": 0.9}]},
    {"metrics": [], "measured_seconds": [SECONDS], "limits": ["one"], "quirks": []},
    *({"use": use} for use in ("free", "research")),
    {"trained_against": ["a", "b-c.1"], "steps": "10", "hardware": "1 GPU", "source": "s", "licence": "l"},
]
BAD = [
    *({"name": name} for name in ("", "a/b", ".a", "a.", "-a", "a b", "x" * 65, "ä", 5)),
    *({"group": group} for group in ("brain", ["abdomen"], "chest")),
    *({"organs": organs} for organs in ([], ["brain"], "liver", ["lung"], [["liver"]])),
    *({"window": window} for window in ([1], [1, 2, 3], ["-1", 2], [True, 2], {"low": 1})),
    *({"spacing": spacing} for spacing in ([1, 1], [0, 1, 1], [1, 1, -1])),
    *({"patch": patch} for patch in ([1.5, 2, 3], [0, 1, 2], 96)),
    *({"networks": networks} for networks in (
        {}, [], {"judge": NETWORK}, {"segmenter": {}}, {"segmenter": "unet"},
        {"segmenter": {"architecture": " "}}, {"segmenter": {"architecture": "a", "settings": []}},
    )),
    *({"sha256": value} for value in ("0" * 63, "G" * 64, 5)),
    *({"bytes": value} for value in (0, -1, "100", 1.5, True)),
    *({"metrics": [METRIC | change]} for change in (
        {"interval": [0.7]}, {"interval": None}, {"cases": 0}, {"level": 1}, {"organ": "eye"}, {"value": "1"},
    )),
    *({"metrics": [{k: v for k, v in METRIC.items() if k != name}]} for name in METRIC),
    {"metrics": METRIC},
    {"measured_seconds": [SECONDS | {"seconds": 0}]},
    {"training_data": ""},
    {"training_data": [{"cases": 3}]},
    {"training_data": [{"name": "a", "cases": 0}]},
    {"trained_against": ["a/b"]},
    {"trained_against": "a"},
    {"limits": ["", "x"]},
    {"licence": None},
    *({"use": use} for use in ("commercial", "", None, ["free"])),
]  # fmt: skip
# What JSON Schema has no words for (and Python's "$", which allows a newline, unlike JavaScript's).
BEYOND = [
    {"window": [250, -175]},
    {"window": [0, float("nan")]},
    {"metrics": [METRIC | {"interval": [0.9, 0.7]}]},
    {"name": "a\n"},
]


def validator(name):
    resources = [(key, referencing.Resource.from_contents(schema)) for key, schema in SCHEMAS.items()]
    registry = referencing.Registry().with_resources(resources)
    return jsonschema.Draft202012Validator(SCHEMAS[name], registry=registry)


@pytest.mark.parametrize("change", GOOD)
def test_good_records_are_taken(change):
    said = WHOLE | change
    assert check_record(said, "a record", weights=True) == said
    validator("model.schema.json").validate(said)


@pytest.mark.parametrize("change", BAD + BEYOND)
def test_bad_records_are_refused_naming_the_field(change):
    said = WHOLE | change
    with pytest.raises(BadInput) as error:
        check_record(said, "a record", weights=True)
    assert error.value.kind == "bad_model_record"
    assert any(f"in a record {field}" in str(error.value) for field in (*change, "organs of the"))
    assert validator("model.schema.json").is_valid(said) == (change in BEYOND)


@pytest.mark.parametrize("field", [*REQUIRED, *OF_WEIGHTS])
def test_a_field_that_is_missing_is_named(field):
    said = {k: v for k, v in WHOLE.items() if k != field}
    with pytest.raises(BadInput, match=f"{field}: .*no such field"):
        check_record(said, "a record", weights=True)
    assert not validator("model.schema.json").is_valid(said)


@pytest.mark.parametrize("said", [None, [], "text", 5])
def test_a_record_is_an_object(said):
    with pytest.raises(BadInput, match="a JSON object"):
        check_record(said, "a record", weights=True)


def test_schema_and_checks_know_the_same_fields_and_the_organ_table():
    schema = SCHEMAS["model.schema.json"]
    assert set(schema["properties"]) == {*REQUIRED, *OF_WEIGHTS, *FACTS}
    assert set(schema["required"]) == {*REQUIRED, *OF_WEIGHTS}
    assert schema["$defs"]["organ"]["enum"] == list(ORGANS)
    for schema in SCHEMAS.values():
        jsonschema.Draft202012Validator.check_schema(schema)


DOWNLOAD = {"kind": "download", "url": "https://example.org/w", "record": WHOLE}
IMPORT = {
    "kind": "import",
    "files": ["a.pt"],
    "record": {
        "name": "a",
        "title": "A",
        "group": "chest",
        "organs": ["lung"],
        "parts": ["segmenter"],
        "source": "s",
    },
}


def without(entry, name):
    return entry | {"record": {k: v for k, v in entry["record"].items() if k != name}}


def test_a_catalogue_holds_downloads_and_files_to_import(tmp_path):
    content = {"version": 1, "models": [DOWNLOAD, IMPORT]}
    validator("registry.schema.json").validate(content)
    path = tmp_path / "registry.json"
    path.write_text(json.dumps(content), "utf-8")
    first, second = catalogue(path)
    assert (first.name, first.kind, first.url, first.parts) == (
        "small", "download", "https://example.org/w", ("segmenter",),
    )  # fmt: skip
    assert (second.name, second.kind, second.files, second.parts) == (
        "a",
        "import",
        ("a.pt",),
        ("segmenter",),
    )
    assert catalogue_entry("a", path) == second
    with pytest.raises(BadInput, match="small, a"):
        catalogue_entry("b", path)


@pytest.mark.parametrize(
    "entry",
    [
        *(
            DOWNLOAD | {"url": url}
            for url in ("http://example.org/w", "file:///etc", "ftp://a/b", "", "w", 5)
        ),
        DOWNLOAD | {"kind": "torrent"},
        {k: v for k, v in DOWNLOAD.items() if k != "record"},
        without(DOWNLOAD, "sha256"),
        IMPORT | {"files": []},
        without(IMPORT, "source"),
        IMPORT | {"record": IMPORT["record"] | {"parts": ["judge"]}},
        "text",
    ],
)
def test_a_bad_entry_is_refused_by_checks_and_schema(tmp_path, entry):
    content = {"version": 1, "models": [IMPORT, entry]}
    path = tmp_path / "registry.json"
    path.write_text(json.dumps(content), "utf-8")
    with pytest.raises(BadInput, match="entry 2 of"):
        catalogue(path)
    assert not validator("registry.schema.json").is_valid(content)


@pytest.mark.parametrize(
    "text", ["", "[]", '{"models": []}', '{"version": 2, "models": []}', '{"version": 1, "models": 5}']
)
def test_a_file_that_is_no_catalogue_is_refused(tmp_path, text):
    path = tmp_path / "registry.json"
    path.write_text(text, "utf-8")
    with pytest.raises(BadInput, match="a catalogue of models"):
        catalogue(path)
    path.write_text(json.dumps({"version": 1, "models": [IMPORT, IMPORT]}), "utf-8")
    with pytest.raises(BadInput, match="each name once"):
        catalogue(path)


def test_the_catalogue_that_comes_with_the_package_is_sound():
    validator("registry.schema.json").validate(json.loads(REGISTRY.read_text("utf-8")))
    assert {(entry.record["group"], "generator" in entry.parts) for entry in catalogue()} >= {
        ("abdomen", True),
        ("chest", True),
    }
