"""Small things that all panels do with widgets."""

_USUAL = "usualToolTip"


def enable(button, possible: bool, reason: str) -> None:
    """Enable a button; while it is not, its tool tip tells why."""
    if button.property(_USUAL) is None:
        button.setProperty(_USUAL, button.toolTip)
    button.enabled = possible
    button.toolTip = button.property(_USUAL) if possible else reason


def fillTable(table, rows, widest=()) -> None:
    """Replace the contents of a QTableWidget by rows of text.

    Args:
        widest: pixels that the first columns may take; the last one takes the rest, and what is longer is
            wrapped.
    """
    import qt

    table.setRowCount(len(rows))
    for row, cells in enumerate(rows):
        for column, text in enumerate(cells):
            table.setItem(row, column, qt.QTableWidgetItem(text))
    table.resizeColumnsToContents()
    for column, width in enumerate(widest):
        table.setColumnWidth(column, min(width, table.columnWidth(column)))
    if widest:
        table.setColumnWidth(table.columnCount - 1, 1)  # it stretches from there, but would not shrink
    table.resizeRowsToContents()


def showPlaceholder(pathEdit, text: str) -> None:
    """What an empty ctkPathLineEdit shows."""
    pathEdit.comboBox().lineEdit().placeholderText = text


def showNoDots(*pathEdits) -> None:
    """Show a path that was not chosen as an empty line: as text, pathlib's empty path is a dot."""
    for edit in pathEdits:
        if edit.currentPath == ".":
            wasBlocked = edit.blockSignals(True)
            edit.currentPath = ""
            edit.blockSignals(wasBlocked)
