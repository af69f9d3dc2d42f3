import json
import math
import statistics
from dataclasses import replace

import pytest
from evaluation_folders import dice, write_evaluation

from unet_lightning.data.seen import Leak
from unet_lightning.errors import RunError
from unet_lightning.metrics.summary import Summary
from unet_lightning.results.stored import SECOND, read_stored, stored_evaluations, write_stored


@pytest.fixture
def home(tmp_path):
    """An evaluation of two images."""
    figures = {"model": dice(0.8, 0.9) | {"auroc": {"01": math.nan, "02": 0.98}}, SECOND: dice(0.7, 0.8)}
    return write_evaluation(tmp_path, figures, leak=["02"], pooled={"model": {"dice": 0.85, "auroc": None}}) / (
        "evaluation/drive-test"
    )


def test_figures_are_read_by_observer_and_image(home):
    read = read_stored(home)
    assert read.values("model", "dice") == {"01": 0.8, "02": 0.9}
    assert read.values(SECOND, "dice") == {"01": 0.7, "02": 0.8}
    assert list(read.per_image["model"]) == ["dice", "auroc"]
    assert list(read.per_image[SECOND]) == ["dice"]
    assert read.pooled["model"]["dice"] == 0.85
    assert read.protocol.leak == ["02"]
    assert read.images == {"01", "02"}
    assert read.protocol.region == "field of view, masks of the data set"


def test_what_is_no_number_is_nan_and_what_nobody_has_is_empty(home):
    read = read_stored(home)
    assert math.isnan(read.values("model", "auroc")["01"])
    assert math.isnan(read.pooled["model"]["auroc"])
    assert all(map(math.isnan, read.values(SECOND, "auroc").values()))
    assert read.values("nobody", "dice") == {}


def test_only_finished_evaluations_are_found(tmp_path, home):
    (tmp_path / "evaluation/drive-val/probabilities").mkdir(parents=True)
    assert stored_evaluations(tmp_path) == {"drive-test": home}
    assert stored_evaluations(tmp_path / "nowhere") == {}


def test_an_evaluation_that_gave_its_place_away_to_none_is_found(tmp_path, home):
    left = home.rename(home.with_name(".drive-test.old"))
    write_evaluation(tmp_path, dice(0.1, 0.2), dataset="chase_db1").joinpath("evaluation/.drive-val.new").mkdir()
    found = stored_evaluations(tmp_path)
    assert found == {"chase_db1-test": home.with_name("chase_db1-test"), "drive-test": left}
    write_evaluation(tmp_path, dice(0.3, 0.4))
    assert stored_evaluations(tmp_path)["drive-test"] == home


@pytest.mark.parametrize("mean", [0.7, 0.85001])
def test_figures_of_two_evaluations_are_not_read_as_one(home, mean):
    path = home / "metrics.json"
    content = json.loads(path.read_text())
    content["figures"]["model"]["mean"] = {"dice": 0.85}
    path.write_text(json.dumps(content))
    read_stored(home)
    content["figures"]["model"]["mean"] = {"dice": mean}
    check_refused(path, json.dumps(content), r"its mean Dice of model is 0\.[78].*, that of per_image.csv 0\.8500")


@pytest.mark.parametrize("name", ["metrics.json", "per_image.csv"])
def test_a_file_that_leads_out_of_the_run_is_not_read(home, name, tmp_path_factory):
    (home / name).rename(elsewhere := tmp_path_factory.mktemp("elsewhere") / name)
    (home / name).symlink_to(elsewhere)
    with pytest.raises(RunError, match="leads out of the run folder"):
        read_stored(home)


def summary(*rows):
    """Figures of images with their mean Dice, no SD, and the pooled figures of the first."""
    mean = {"dice": statistics.fmean(row["dice"] for row in rows)}
    return Summary(list(rows), mean, {"dice": math.nan}, {"dice": (0.7, 0.9)}, rows[0], {}, {"dice": (0.6, math.nan)})


def test_what_is_written_is_read(tmp_path, home):
    protocol = replace(read_stored(home).protocol, leak=["02"], leak_reasons={Leak.EPOCH: ["02"]}, split="val")
    summaries = {
        "model": summary({"dice": 0.8, "auroc": math.nan}, {"dice": 0.1 + 0.2, "auroc": 1.0}),
        SECOND: summary({"dice": 0.75}, {"dice": 0.25}),
    }
    folder = tmp_path / "evaluation/drive-val"
    write_stored(folder, protocol, summaries, ["01", "02"], {"model": [{"low": 0.0, "share": math.nan}]})
    read = read_stored(folder)
    assert read.values("model", "dice") == {"01": 0.8, "02": 0.1 + 0.2}
    assert {observer: list(table) for observer, table in read.per_image.items()} == {
        "model": ["dice", "auroc"],
        SECOND: ["dice"],
    }
    assert math.isnan(read.pooled["model"]["auroc"])
    assert read.protocol.leak_reasons == {Leak.EPOCH: ["02"]}
    assert read.protocol.for_choosing
    content = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    assert content["protocol"]["leak_reasons"] == {"epoch": ["02"]}
    assert content["figures"][SECOND] == {
        "mean": {"dice": 0.5},
        "sd": {"dice": None},
        "low": {"dice": 0.7},
        "high": {"dice": 0.9},
        "pooled": {"dice": 0.75},
        "pooled_low": {"dice": 0.6},
        "pooled_high": {"dice": None},
    }
    assert content["calibration"] == {"model": [{"low": 0.0, "share": None}]}
    assert stored_evaluations(tmp_path)["drive-val"] == folder


def test_a_reason_is_known_by_its_code_and_by_the_words_of_earlier_versions():
    for leak in Leak:
        assert Leak(leak.value) is Leak(leak.words) is leak
    with pytest.raises(ValueError, match="seen in a dream"):
        Leak("seen in a dream")


@pytest.mark.parametrize(
    ("reasons", "for_choosing"),
    [
        ({"epoch": ["02"]}, True),
        ({"the threshold was chosen on": ["02"]}, True),
        ({"trained": ["02"]}, False),
        ({"trained on": ["01"], "epoch": ["02"]}, False),
        ({"epoch": ["01"]}, False),  # of 02 it is not said why
        (None, False),
    ],
)
def test_validation_serves_for_choosing_where_nothing_was_learned_from_it(home, reasons, for_choosing):
    rewrite(home / "metrics.json", split="val", leak_reasons=reasons)
    assert read_stored(home).protocol.for_choosing == for_choosing
    rewrite(home / "metrics.json", split="test")
    assert not read_stored(home).protocol.for_choosing


@pytest.mark.parametrize("classes", [5, "ab", ["background", 1]])
def test_classes_that_are_no_names_are_refused(home, classes):
    rewrite(home / "metrics.json", classes=classes)
    with pytest.raises(RunError, match=r"its protocol\.classes.* is not as evaluate writes it"):
        read_stored(home)


def rewrite(path, **changes):
    """Changes metrics.json; None drops a key of the protocol."""
    content = json.loads(path.read_text())
    content["protocol"] |= changes
    content["protocol"] = {key: value for key, value in content["protocol"].items() if value is not None}
    path.write_text(json.dumps(content))


def check_refused(path, content, message):
    """Checks that an evaluation with this content in one of its files, None for no file, is an error that names it."""
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(RunError, match=message) as raised:
        read_stored(path.parent)
    assert str(path) in str(raised.value)
    assert "Evaluate anew" in str(raised.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"protocol": ', r"its content is not as evaluate writes it \(Invalid JSON"),
        ("[]", r"its content is not as evaluate writes it \(Input should be an object\)"),
        ('{"protocol": {}, "figures": {}}', r"its protocol\.networks .*Field required\), and 12 more"),
        (b"\xff\xfe", "Invalid JSON"),
        ("[" * 100_000, "Invalid JSON"),
        (None, "No such file"),
    ],
)
def test_a_broken_metrics_file_is_named(home, content, message):
    check_refused(home / "metrics.json", content, message)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tta": None}, r"its protocol\.tta is not as evaluate writes it \(Field required\)"),
        ({"images": 3}, "2 images of model, metrics.json has 3"),
        ({"leak": []}, r"its leak is \[\], per_image.csv marks 02"),
        ({"networks": [{"seed": 0}]}, r"its protocol\.networks\.0\.checkpoint is not "),
        ({"leak_reasons": {"seen in a dream": ["02"]}}, r"its protocol\.leak_reasons\.seen in a dream"),
        ({"leak_reasons": {"epoch": 2}}, r"its protocol\.leak_reasons\.epoch is not "),
    ],
)
def test_a_protocol_that_cannot_be_is_refused(home, changes, message):
    rewrite(home / "metrics.json", **changes)
    with pytest.raises(RunError, match=message):
        read_stored(home)


@pytest.mark.parametrize(
    ("figures", "message"),
    [
        ({"model": {}, SECOND: {"pooled": {}}}, r"its figures\.model\.pooled is not as"),
        (
            {"model": {"pooled": {"dice": "high"}}, SECOND: {"pooled": {}}},
            r"its figures\.model\.pooled\.dice is not as",
        ),
        ({"model": {"pooled": {"dice": 0.85}}}, "it lacks figures of second observer"),
    ],
)
def test_figures_that_cannot_be_are_refused(home, figures, message):
    path = home / "metrics.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"figures": figures}))
    with pytest.raises(RunError, match=message):
        read_stored(home)


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
    check_refused(home / "per_image.csv", content, message)
