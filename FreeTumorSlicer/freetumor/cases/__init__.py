"""Case folders: a synthetic CT with its labels, masks, provenance and picture."""

from freetumor.cases.case import Case, read_case, write_case

__all__ = ["Case", "read_case", "write_case"]
