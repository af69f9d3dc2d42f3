import json
import math

import pytest
from evaluation_folders import SECOND, dice, write_evaluation

from unet_lightning.errors import RunError
from unet_lightning.results.leaderboard.evaluations import evaluations, read_evaluation


@pytest.fixture
def home(tmp_path):
    """An evaluation of two images."""
    figures = {"model": dice(0.8, 0.9) | {"auroc": {"01": math.nan, "02": 0.98}}, SECOND: dice(0.7, 0.8)}
    return write_evaluation(tmp_path, figures, leak=["02"], pooled={"model": {"dice": 0.85, "auroc": None}}) / (
        "evaluation/drive-test"
    )


def test_figures_are_read_by_observer_and_image(home):
    read = read_evaluation(home)
    assert read.values("model", "dice") == {"01": 0.8, "02": 0.9}
    assert read.values(SECOND, "dice") == {"01": 0.7, "02": 0.8}
    assert read.figures("model") == ["dice", "auroc"]
    assert read.figures(SECOND) == ["dice"]
    assert read.pooled["model"]["dice"] == 0.85
    assert read.leak == ("02",)
    assert read.protocol["region"] == "field of view, masks of the data set"


def test_what_is_no_number_is_nan_and_what_nobody_has_is_empty(home):
    read = read_evaluation(home)
    assert math.isnan(read.values("model", "auroc")["01"])
    assert math.isnan(read.pooled["model"]["auroc"])
    assert all(map(math.isnan, read.values(SECOND, "auroc").values()))
    assert read.values("nobody", "dice") == {}


def test_only_finished_evaluations_are_found(tmp_path, home):
    (tmp_path / "evaluation/drive-val/probabilities").mkdir(parents=True)
    assert evaluations(tmp_path) == {"drive-test": home}
    assert evaluations(tmp_path / "nowhere") == {}


def rewrite(path, **changes):
    """Changes metrics.json; None drops a key of the protocol."""
    content = json.loads(path.read_text())
    content["protocol"] |= changes
    content["protocol"] = {key: value for key, value in content["protocol"].items() if value is not None}
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"protocol": ', "it is no JSON"),
        ("[]", "it has no protocol and figures"),
        ('{"protocol": {}, "figures": {}}', "its protocol lacks dataset, split"),
        (b"\xff\xfe", "it is no JSON"),
        (None, "No such file"),
    ],
)
def test_a_broken_metrics_file_is_named(home, content, message):
    path = home / "metrics.json"
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(RunError, match=message) as raised:
        read_evaluation(home)
    assert str(path) in str(raised.value)
    assert "python -m unet_lightning.evaluate" in str(raised.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tta": None}, "its protocol lacks tta"),
        ({"images": 3}, "2 images of model, metrics.json has 3"),
        ({"leak": []}, r"its leak is \[\], per_image.csv marks 02"),
        ({"networks": [{"seed": 0}]}, "a network of its protocol has no checkpoint"),
    ],
)
def test_a_protocol_that_cannot_be_is_refused(home, changes, message):
    rewrite(home / "metrics.json", **changes)
    with pytest.raises(RunError, match=message):
        read_evaluation(home)


@pytest.mark.parametrize(
    ("figures", "message"),
    [
        ({"model": {}, SECOND: {"pooled": {}}}, "its figures have no pooled numbers"),
        ({"model": {"pooled": {"dice": "high"}}, SECOND: {"pooled": {}}}, "its figures have no pooled numbers"),
        ({"model": {"pooled": {"dice": 0.85}}}, "it lacks figures of second observer"),
    ],
)
def test_figures_that_cannot_be_are_refused(home, figures, message):
    path = home / "metrics.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"figures": figures}))
    with pytest.raises(RunError, match=message):
        read_evaluation(home)


HEADER = "observer,image_id,leak,dice\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("observer,image,leak,dice\nmodel,01,False,0.8\n", "it has no column 'image_id'"),
        (HEADER + "model,01,False,high\n", "line 2 cannot be read"),
        (HEADER + "model,01,False,0.8\nmodel,02,False,0.8,0.9\n", "line 3 is longer than its header"),
        (HEADER + "model,01,maybe,0.8\n", "line 2 says 'maybe' of leak"),
        (HEADER + "model,01\n", "line 2 says '' of leak"),
        (HEADER + "model,01,False,0.8\nmodel,01,False,0.9\n", "image 01 of model stands there twice"),
        (HEADER + "second observer,01,False,0.8\n", "it has no image of the model"),
        (HEADER, "it has no image of the model"),
        ("", "it has no image of the model"),
        (b"\xff\xfe\x00", "cannot be read"),
        (None, "No such file"),
    ],
)
def test_a_broken_table_is_named(home, content, message):
    path = home / "per_image.csv"
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(RunError, match=message) as raised:
        read_evaluation(home)
    assert str(path) in str(raised.value)
