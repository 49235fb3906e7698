"""What weights may be used for: whatever their licence allows ("free"), or research only, after consent.

Weights are research weights where they saw data, or were made with weights, that may not be used
commercially or not be changed (NC, ND), or whose licence nobody states. Licences are read as they are written
in records and data sets: SPDX identifiers such as ``CC-BY-4.0``, several of them with ``;`` or ``+`` between,
perhaps with a remark in brackets.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

FREE, RESEARCH = "free", "research"
USES = (FREE, RESEARCH)
_RESTRICTED = re.compile(
    r"\bn[cd]\b|non[- ]?commercial|no[- ]?derivatives|\bresearch\b|\bacademic\b|\bunknown\b|\bnot stated\b",
    re.IGNORECASE,
)
_FREE = re.compile(
    r"(cc[- ]?0|cc[- ]by([- ]sa)?|public domain|pddl|odc-by|odbl|apache|mit|bsd|isc|mpl|[al]?gpl)(\b|[- ])",
    re.IGNORECASE,
)
_REMARK = re.compile(r"\([^()]*\)")
_BETWEEN = re.compile(r"[;+]")


def is_restricted(licence: str) -> bool:
    """Whether a licence says that it does not allow everything, or that it is not known."""
    return _RESTRICTED.search(licence) is not None


def is_free(licence: str) -> bool:
    """Whether all of a licence is known to allow commercial use and changes, perhaps for a mention."""
    parts = [part.strip() for part in _BETWEEN.split(_REMARK.sub("", licence))]
    return not is_restricted(licence) and all(_FREE.match(part) for part in parts)


def use_of(record: Mapping) -> str:
    """:data:`FREE` or :data:`RESEARCH`: the stricter of what a model's record says and of its licence.

    Where the record says nothing, a licence that is not known to be free means research.
    """
    licence, said = str(record.get("licence", "")), record.get("use")
    if said == RESEARCH or is_restricted(licence):
        return RESEARCH
    return FREE if said == FREE or is_free(licence) else RESEARCH


def use_of_data(licences: Iterable[str]) -> str:
    """What weights may be used for that saw data under `licences`; an empty one is not stated."""
    return FREE if all(map(is_free, licences)) else RESEARCH
