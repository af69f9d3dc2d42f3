import math

import pytest

from unet_lightning.metrics.summary import Summary
from unet_lightning.results.wording import readable, readable_name, table_rows

MODEL = Summary(
    per_image=[{"dice": 0.7, "component_error": 3.0}, {"dice": 0.8, "component_error": 4.0}],
    mean={"dice": 0.75, "component_error": 3.5},
    sd={"dice": 0.0707, "component_error": 0.7071},
    interval={"dice": (0.7, 0.8), "component_error": (3.0, 4.0)},
    pooled={"dice": 0.74, "auroc": 0.97},
)
ONE_IMAGE = Summary(
    per_image=[{"dice": 0.7}],
    mean={"dice": 0.7},
    sd={"dice": math.nan},
    interval={"dice": (math.nan, math.nan)},
    pooled={},
)


@pytest.mark.parametrize(
    ("name", "shown"),
    [("dice", "Dice"), ("average_precision", "Average precision"), ("auroc", "AUROC"), ("dataset", "Data set")],
)
def test_a_name_reads_as_a_reader_knows_it(name, shown):
    assert readable_name(name) == shown


@pytest.mark.parametrize(("value", "shown"), [(0.81234, "0.8123"), (-0.5, "-0.5000"), (None, "-"), (math.nan, "-")])
def test_a_figure_has_four_decimals_or_is_a_dash(value, shown):
    assert readable(value) == shown


def test_a_row_holds_mean_interval_and_pooled_of_each_observer():
    dice, pieces, auroc = table_rows([MODEL, ONE_IMAGE])
    assert dice["name"] == "Dice"
    assert dice["cells"] == [
        {"mean": "0.7500 (0.0707)", "interval": "0.7000 to 0.8000", "pooled": "0.7400"},
        {"mean": "0.7000 (-)", "interval": "", "pooled": "-"},
    ]
    assert pieces["cells"][0] == {"mean": "3.5 (0.7)", "interval": "3.0 to 4.0", "pooled": "-"}
    assert auroc["cells"] == [
        {"mean": "-", "interval": "", "pooled": "0.9700"},
        {"mean": "-", "interval": "", "pooled": "-"},
    ]
