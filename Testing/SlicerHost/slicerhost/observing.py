"""VTK events to the methods of a Qt widget, without keeping the widget alive and gone when it is gone."""

from __future__ import annotations

import weakref
from collections.abc import Callable

import slicer
import vtk

_CARRY_NODE = ("NodeAddedEvent", "NodeRemovedEvent", "NodeAboutToBeRemovedEvent")


class Observations:
    """The observers of one widget. `clear` takes them all off."""

    def __init__(self, owner):
        self._tags: list[tuple[vtk.vtkObject, int]] = []
        # The list only, not this object's owner: a bound method would keep the widget alive.
        owner.destroyed.connect(_cleaner(self._tags))

    def add(self, subject: vtk.vtkObject, event: int | str, method: Callable) -> None:
        """Call ``method(subject, node)`` at `event`; `node` is None for events that carry none."""
        weak = weakref.WeakMethod(method)
        carrying = {getattr(slicer.vtkMRMLScene, name) for name in _CARRY_NODE}

        @vtk.calldata_type(vtk.VTK_OBJECT)
        def withNode(caller, _event, node) -> None:
            _call(weak, caller, node)

        def plain(caller, _event) -> None:
            _call(weak, caller, None)

        self._tags.append((subject, subject.AddObserver(event, withNode if event in carrying else plain)))

    def drop(self, subject: vtk.vtkObject) -> None:
        """Take the observers off one object."""
        for entry in [entry for entry in self._tags if entry[0] is subject]:
            entry[0].RemoveObserver(entry[1])
            self._tags.remove(entry)

    def clear(self) -> None:
        """Take all observers off."""
        _takeOff(self._tags)


def _call(weak: weakref.WeakMethod, caller, node) -> None:
    method = weak()
    if method is not None:
        method(caller, node)


def _takeOff(tags: list) -> None:
    while tags:
        subject, tag = tags.pop()
        subject.RemoveObserver(tag)


def _cleaner(tags: list) -> Callable:
    return lambda *_: _takeOff(tags)
