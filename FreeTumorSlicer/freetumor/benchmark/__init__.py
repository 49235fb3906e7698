"""How fast it is here: a table for the machine at hand, against the naive schedule in the same run."""

from freetumor.benchmark.cases import Case
from freetumor.benchmark.run import run_benchmark
from freetumor.benchmark.table import Row, lines, show

__all__ = ["Case", "Row", "lines", "run_benchmark", "show"]
