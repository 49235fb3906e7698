"""Pages of one look: templates that extend ``report/base.html``."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources

import freetumor


def render(template: str, filters: dict[str, Callable] | None = None, **values: object) -> str:
    """Fill a template, named from the package's folder, such as ``report/report.html``.

    What is filled in is escaped; `filters` are there beside jinja's own.
    """
    from jinja2 import Environment, FunctionLoader

    room = resources.files("freetumor")
    environment = Environment(
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=FunctionLoader(lambda name: room.joinpath(*name.split("/")).read_text("utf-8")),
    )
    environment.filters |= filters or {}
    return environment.get_template(template).render(version=freetumor.__version__, **values)
