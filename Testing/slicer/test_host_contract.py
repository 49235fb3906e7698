"""The host is no laxer than Slicer: no stand-in has a public name that its contract does not list."""

from __future__ import annotations

import pytest
import qt
import slicer
from slicerhost import contract, contractlist, uiloader

STAND_INS = {**uiloader.standIns(), "module panel": slicer.qSlicerScriptedLoadableModuleWidget}


def public(cls: type) -> set[str]:
    """Names that the host gives to a class, without what overrides Qt's own."""
    names = set()
    for c in cls.__mro__:
        if c.__module__.partition(".")[0] == "slicerhost":
            names |= {n for n in vars(c) if n[0] != "_" and n != "staticMetaObject"}
    base = next(c for c in cls.__mro__ if c.__module__.startswith("PySide6"))
    return {n for n in names if not hasattr(base, n)}


@pytest.mark.parametrize("cls", STAND_INS.values(), ids=STAND_INS.keys())
def test_every_stand_in_has_a_contract_against_a_header(cls):
    found = contract.of(cls)
    assert found is not None, f"{cls.__name__}: add it to contractlist.py after reading Slicer's header"
    assert ".h" in found.header


@pytest.mark.parametrize("cls", uiloader.standIns().values(), ids=uiloader.standIns().keys())
def test_a_name_that_the_contract_does_not_list_is_refused_even_where_the_class_has_it(cls):
    widget = cls()
    for name in public(cls) - contract.of(cls).names:
        with pytest.raises(AttributeError, match=name):
            getattr(widget, name)
        with pytest.raises(ValueError, match="expected a signal"):
            widget.connect(f"{name}()", print)


@pytest.mark.parametrize("cls", STAND_INS.values(), ids=STAND_INS.keys())
def test_properties_are_attributes_methods_can_be_called_and_signals_have_signatures(cls):
    found = contract.of(cls)
    for name in found.properties & public(cls):
        assert hasattr(type(getattr(cls, name)), "__set__"), name
    for name in found.methods & public(cls) - found.properties:
        assert callable(getattr(cls, name)), name
    assert all(s.count("(") == 1 and s.endswith(")") for s in found.signals)


def test_nothing_is_promised_for_a_class_that_the_host_does_not_have():
    made = {cls.__name__ for cls in STAND_INS.values()}
    assert set(contractlist.CONTRACTS) == made


def test_slicers_qt_has_exactly_the_listed_classes():
    assert {n for n in dir(qt) if n[0] == "Q"} == contract.QT_CLASSES | {"QUiLoader"}
