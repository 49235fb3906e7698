"""Case folders: a synthetic CT with its labels, masks, provenance and picture."""

from freetumor.cases.case import Case, check_free, read_case, remove_partial, write_case, write_json

__all__ = ["Case", "check_free", "read_case", "remove_partial", "write_case", "write_json"]
