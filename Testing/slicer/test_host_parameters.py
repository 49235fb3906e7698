"""Parameter nodes: typed, validated, and kept in the scene."""

from __future__ import annotations

import pathlib
from typing import Annotated

import pytest
import slicer
from probe_parameters import Box, Engine, Parameters, Point
from slicer.parameterNodeWrapper import Default, WithinRange, parameterNodeWrapper, parameterPack


@pytest.fixture
def node(scene):
    return scene.AddNewNodeByClass("vtkMRMLScriptedModuleNode")


@pytest.fixture
def parameters(node):
    return Parameters(node)


def test_defaults_come_from_the_class_from_the_annotation_or_from_the_type(parameters):
    assert parameters.engine is Engine.DIFFUSION
    assert parameters.box.corner.y == 3.0
    assert (parameters.note, parameters.seeds, parameters.ages, parameters.limit) == ("", [], {}, None)
    assert parameters.ct is None
    assert parameters.folder == pathlib.Path()
    assert parameters.default("device") == Default("auto")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("contrast", 101),
        ("pairs", -2),
        ("pairs", 10),
        ("pairs", 3),
        ("device", "gpu"),
        ("box.corner.y", 11.0),
        ("box.size", 0),
    ],
)
def test_a_value_outside_its_limits_is_refused_and_the_old_one_stays(parameters, name, value):
    before = parameters.getValue(name)
    with pytest.raises(ValueError, match="expected"):
        parameters.setValue(name, value)
    assert parameters.getValue(name) == before


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("contrast", "high"),
        ("unbounded", 2.5),
        ("on", 1),
        ("note", 3),
        ("engine", "DIFFUSION"),
        ("ct", "node"),
        ("folder", "/data"),
        ("seeds", 4),
        ("seeds", ["a"]),
        ("limit", "x"),
        ("box", 3),
        ("either", 5),
    ],
)
def test_a_value_of_another_type_is_refused(parameters, name, value):
    with pytest.raises((TypeError, ValueError), match="expected"):
        parameters.setValue(name, value)


def test_a_node_of_the_wrong_class_is_refused(scene, parameters):
    with pytest.raises(TypeError, match="vtkMRMLScalarVolumeNode"):
        parameters.ct = scene.AddNewNodeByClass("vtkMRMLModelNode")


def test_a_parameter_may_be_one_of_several_kinds_of_node_or_none(scene, parameters):
    for kind in ("vtkMRMLModelNode", "vtkMRMLSegmentationNode"):
        parameters.either = scene.AddNewNodeByClass(kind)
        assert parameters.either.GetClassName() == kind
    parameters.either = None
    assert parameters.either is None


def test_changing_a_member_of_a_pack_a_list_or_a_dictionary_changes_the_scene(node, parameters):
    parameters.box.corner.x = 7.5
    parameters.seeds += [3, 4]
    parameters.seeds.append(5)
    del parameters.seeds[0]
    parameters.ages["a"] = 41
    again = Parameters(node)
    assert again.box.corner.x == 7.5
    assert again.seeds == [4, 5]
    assert again.ages == {"a": 41}


def test_a_bad_item_in_a_list_is_refused_and_the_list_stays(parameters):
    parameters.seeds = [1, 2]
    with pytest.raises(TypeError, match="expected"):
        parameters.seeds.append("three")
    assert parameters.seeds == [1, 2]


def test_every_parameter_survives_saving_and_reloading_the_scene(scene, parameters, tmp_path):
    ct = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "CT")
    parameters.parameterNode.SetName("Kept")
    parameters.ct = ct
    parameters.engine = Engine.PROCEDURAL
    parameters.contrast, parameters.pairs, parameters.on = 12.5, 4, False
    parameters.note, parameters.folder = 'ä "quoted"; a=b & <c>', pathlib.Path("/data/Fälle 1")
    parameters.box = Box(Point(1.25, -2.0), size=9)
    parameters.seeds, parameters.ages = [5, 6], {"x": 1}
    parameters.corner, parameters.limit = (3, "c"), 8
    url = str(tmp_path / "scene.mrml")
    scene.SetURL(url)
    assert scene.Commit()
    scene.Clear(0)
    scene.SetURL(url)
    assert scene.Import()
    again = Parameters(slicer.util.getNode("Kept"))
    assert again.ct.GetName() == "CT"
    assert again.engine is Engine.PROCEDURAL
    assert (again.contrast, again.pairs, again.on) == (12.5, 4, False)
    assert (again.note, again.folder) == ('ä "quoted"; a=b & <c>', pathlib.Path("/data/Fälle 1"))
    assert again.box == Box(Point(1.25, -2.0), size=9)
    assert (again.seeds, again.ages, again.corner, again.limit) == ([5, 6], {"x": 1}, (3, "c"), 8)


def test_two_wrappers_with_prefixes_share_a_node(node):
    one, two = Parameters(node, "one."), Parameters(node, "two.")
    one.note = "first"
    assert (one.note, two.note) == ("first", "")


@pytest.mark.parametrize("hint", [int | None, complex, bytes, list, Annotated[set, Default(set())]])
def test_a_type_that_slicer_cannot_keep_is_refused_when_the_class_is_made(hint):
    with pytest.raises(TypeError, match="value"):
        parameterNodeWrapper(type("Bad", (), {"__annotations__": {"value": hint}}))


def test_a_default_that_breaks_its_own_limits_is_refused_when_the_class_is_made():
    with pytest.raises(ValueError, match="within"):
        parameterPack(type("Bad", (), {"__annotations__": {"value": Annotated[float, WithinRange(1, 2)]}}))


def test_names_that_the_wrapper_needs_are_refused():
    with pytest.raises(ValueError, match="connectGui"):
        parameterNodeWrapper(type("Bad", (), {"__annotations__": {"connectGui": int}}))
