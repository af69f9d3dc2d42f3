import runpy
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[1] / "experiments/benchmarks/bench.py"


@pytest.mark.skipif(not BENCH.is_file(), reason="needs experiments/, which a source archive does not have")
def test_tables_are_read_from_what_a_benchmark_prints():
    lines = ["| a | b, s |", "|---|---:|", "| x | 1.5 |", "| y | - |", "", "said", "| c |", "|---|", "| 2 |"]
    found = runpy.run_path(str(BENCH))["tables"](lines)
    assert found == [[{"a": "x", "b, s": "1.5"}, {"a": "y", "b, s": "-"}], [{"c": "2"}]]
