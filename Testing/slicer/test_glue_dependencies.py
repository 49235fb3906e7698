"""What the set-up installs, and in which order. Nothing is installed here."""

import pytest
import slicer.packaging
from FreeTumorSlicerLib import dependencies


@pytest.fixture
def bare(monkeypatch):
    """A Python with numpy only; the list of what was installed, in order."""
    there, order = {"numpy"}, []

    def pip_ensure(requirements, requester):
        order.extend(r.name for r in requirements)
        there.update(r.name for r in requirements)

    def torch():
        order.append("torch")
        there.add("torch")

    monkeypatch.setattr(slicer.packaging, "pip_ensure", pip_ensure)
    monkeypatch.setattr(dependencies, "installTorch", torch)
    monkeypatch.setattr(dependencies, "_version", lambda name: "1" if name in there else None)
    return there, order


def test_torch_comes_from_its_extension_before_anything_that_would_bring_another(bare):
    there, order = bare
    there.update(("scipy", "SimpleITK"))
    assert dependencies.install()
    assert order.index("torch") < order.index("monai")
    assert order.index("connected-components-3d") < order.index("torch")
    assert not {"numpy", "scipy", "SimpleITK"} & set(order)
    assert dependencies.missing() == []


def test_what_is_needed_stays_installed_where_torch_cannot_be_had(bare, monkeypatch):
    _, order = bare

    def refused():
        raise RuntimeError("The extension PyTorch is missing")

    monkeypatch.setattr(dependencies, "installTorch", refused)
    with pytest.raises(RuntimeError, match="PyTorch"):
        dependencies.install()
    assert {"pillow", "connected-components-3d"} <= set(order)
    assert not {"monai", "openvino"} & set(order)
    assert {"torch", "monai"} <= set(dependencies.missing())


def test_an_optional_package_is_shown_but_not_missed(bare):
    names = [name for name, _version, _purpose in dependencies.status()]
    assert "openvino" in names
    assert "openvino" not in dependencies.missing()
