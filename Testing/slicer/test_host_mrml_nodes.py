"""Choosing nodes and segments: the lists follow the scene, as in Slicer."""

from __future__ import annotations

import pytest
import slicer


@pytest.fixture
def combo(scene):
    box = slicer.qMRMLNodeComboBox()
    box.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    box.setMRMLScene(scene)
    yield box
    box.deleteLater()


def heard(signal) -> list:
    got = []
    signal.connect(got.append)
    return got


def test_the_list_holds_nodes_of_its_classes_only_and_follows_the_scene(combo, scene):
    ct = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "CT")
    scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Organs")
    assert combo.nodes() == [ct]
    scene.RemoveNode(ct)
    assert combo.nodeCount() == 0


def test_label_maps_are_left_out_where_child_classes_are_not_wanted(combo, scene):
    scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "Labels")
    assert combo.nodeCount() == 1
    combo.showChildNodeTypes = False
    assert combo.nodeCount() == 0


def test_nothing_is_chosen_by_itself(combo, scene):
    scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "CT")
    assert combo.currentNode() is None


def test_a_choice_is_told_once_and_ends_when_the_node_goes(combo, scene):
    ct = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "CT")
    told = heard(combo.currentNodeChanged)
    combo.setCurrentNode(ct)
    combo.setCurrentNode(ct)
    scene.RemoveNode(ct)
    assert told == [ct, None]
    assert combo.currentNodeID == ""


def test_closing_the_scene_empties_list_and_choice(combo, scene):
    combo.setCurrentNode(scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "CT"))
    scene.Clear(0)
    assert combo.currentNode() is None
    assert combo.nodeCount() == 0


def test_a_node_made_here_gets_base_name_and_attributes_and_is_chosen(combo, scene):
    combo.addAttribute("vtkMRMLScalarVolumeNode", "FreeTumor.Synthetic", "1")
    combo.baseName = "Result"
    first, second = combo.addNode(), combo.addNode()
    assert [first.GetName(), second.GetName()] == ["Result", "Result_1"]
    assert second.GetAttribute("FreeTumor.Synthetic") == "1"
    assert combo.currentNode() is second


def test_nodes_without_the_attribute_or_hidden_ones_are_not_offered(combo, scene):
    plain = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "plain")
    hidden = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "hidden")
    hidden.SetHideFromEditors(True)
    assert combo.nodes() == [plain]
    combo.addAttribute("vtkMRMLScalarVolumeNode", "kind", "ct")
    assert combo.nodes() == []


def test_a_new_name_is_shown(combo, scene):
    ct = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "CT")
    combo.setCurrentNode(ct)
    told = heard(combo.currentNodeRenamed)
    ct.SetName("CT of May")
    assert told == ["CT of May"]


def test_wrong_arguments_are_refused(combo):
    with pytest.raises(TypeError, match="list"):
        combo.nodeTypes = "vtkMRMLScalarVolumeNode"
    with pytest.raises(ValueError, match="vtkMRMLVolumNode"):
        combo.nodeTypes = ["vtkMRMLVolumNode"]
    with pytest.raises(TypeError, match="vtkMRMLNode"):
        combo.setCurrentNode("vtkMRMLScalarVolumeNode1")


def test_a_destroyed_list_leaves_no_observer_behind(scene, host):
    from PySide6.QtCore import QCoreApplication, QEvent

    box = slicer.qMRMLNodeComboBox()
    box.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    event = slicer.vtkMRMLScene.NodeAboutToBeRemovedEvent
    box.setMRMLScene(scene)
    tags = box._observations._tags
    assert scene.HasObserver(event)
    box.deleteLater()
    del box
    QCoreApplication.sendPostedEvents(None, QEvent.DeferredDelete)
    assert tags == []


def test_the_segment_list_follows_its_segmentation(scene):
    selector = slicer.qMRMLSegmentSelectorWidget()
    selector.setMRMLScene(scene)
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Organs")
    for name in ("liver", "spleen"):
        node.GetSegmentation().AddEmptySegment(name, name)
    told = heard(selector.currentSegmentChanged)
    selector.setCurrentNode(node)
    selector.setCurrentSegmentID("spleen")
    node.GetSegmentation().RemoveSegment("spleen")
    assert told == ["liver", "spleen", "liver"]
    selector.deleteLater()
