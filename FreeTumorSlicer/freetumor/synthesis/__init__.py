"""Generator and composition: the residual of an engine, added where the mask is and nowhere else."""

from freetumor.synthesis.compose import Edit, compose
from freetumor.synthesis.engines import ENGINES, Engine, Options, Residual, Style, engine
from freetumor.synthesis.patch import Patch

__all__ = ["ENGINES", "Edit", "Engine", "Options", "Patch", "Residual", "Style", "compose", "engine"]
