import contextlib
import csv
import json
import os
import shutil
import sys

import pytest
import torch
from conftest import TINY_RUN
from PIL import Image

from unet_lightning.results.places import held


@pytest.fixture(scope="module")
def evaluated(program, tiny_run, tmp_path_factory):
    run = shutil.copytree(tiny_run, tmp_path_factory.mktemp("evaluated") / "run")
    done = program("evaluate", f"run={run}", cwd=run.parent)
    assert done.returncode == 0, done.stderr
    return run, done


def test_every_test_image_has_a_row_for_the_model_and_the_second_observer(evaluated):
    table = (evaluated[0] / "evaluation/drive-test/per_image.csv").read_text()
    rows = list(csv.DictReader(table.splitlines()))
    ids = [f"{number:02d}" for number in range(1, 21)]
    for observer in ("model", "second observer"):
        assert [row["image_id"] for row in rows if row["observer"] == observer] == ids


def test_the_table_in_the_terminal_is_the_one_in_the_folder(evaluated):
    run, done = evaluated
    figures = json.loads((run / "evaluation/drive-test/metrics.json").read_text())["figures"]
    shown = f"{figures['second observer']['pooled']['dice']:.4f}"
    assert shown in done.stdout
    assert shown in (run / "evaluation/drive-test/table.md").read_text()


def test_nothing_but_the_evaluation_is_written(evaluated, tiny_run):
    run, _ = evaluated
    assert {path.name for path in run.parent.iterdir()} == {"run"}
    assert {path.name for path in run.iterdir()} == {path.name for path in tiny_run.iterdir()} | {"evaluation"}
    assert len(list((run / "evaluation/drive-test/probabilities").glob("*.png"))) == 20


def test_test_images_are_no_leak_and_validation_images_are(program, evaluated):
    run, done = evaluated
    assert "LEAK" not in done.stdout
    done = program("evaluate", f"run={run}", "split=val", "report=false", cwd=run.parent)
    assert done.returncode == 0, done.stderr
    assert "LEAK" in done.stdout
    protocol = json.loads((run / "evaluation/drive-val/metrics.json").read_text())["protocol"]
    assert protocol["leak"] == ["25", "30", "35", "40"]


def test_each_protocol_has_its_folder_and_a_repetition_replaces_its_own(program, evaluated):
    run, _ = evaluated
    before = (run / "evaluation/drive-test/metrics.json").read_bytes()
    other = ["threshold=0.2", "tta=flips", "report=false", "checkpoint=best"]
    done = program("evaluate", f"run={run}", *other, cwd=run.parent)
    assert done.returncode == 0, done.stderr
    place = run / "evaluation/drive-test_tta-flips_threshold-0.2"
    assert f"Written to {place}\n" in done.stdout
    (place / "notes.txt").write_text("mine")
    assert (run / "evaluation/drive-test/metrics.json").read_bytes() == before
    done = program("evaluate", f"run={run}", *other, cwd=run.parent)
    assert f"Written to {place}, in place of the earlier one of this protocol" in done.stdout
    protocol = json.loads((place / "metrics.json").read_text())["protocol"]
    assert (protocol["threshold"], protocol["tta"]) == (0.2, "flips")
    assert (place / "notes.txt").read_text() == "mine"
    # The usual one is an evaluation by the threshold that is the usual one, too.
    done = program("evaluate", f"run={run}", "threshold=0.5", cwd=run.parent)
    assert "drive-test, in place of the earlier one" in done.stdout


def test_other_photographs_of_the_same_name_have_a_folder_of_their_own(program, tiny_run, tiny_drive, tmp_path):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    assert program("evaluate", f"run={run}", "split=val", "report=false", cwd=tmp_path).returncode == 0
    before = (run / "evaluation/drive-val/metrics.json").read_bytes()
    done = program(
        "evaluate", f"run={run}", "split=val", "data=drive", "data.dataset.fov=none", "report=false", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    (place,) = (run / "evaluation").glob("drive-val_*")
    assert f"Written to {place}, as drive-val is of other photographs or labels, or of another region" in done.stdout
    assert json.loads((place / "metrics.json").read_text())["protocol"]["region"] == "whole image"
    assert (run / "evaluation/drive-val/metrics.json").read_bytes() == before


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_what_cannot_be_printed_is_written_all_the_same(in_process, tiny_run, tmp_path, monkeypatch):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    with contextlib.suppress(OSError), open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        message = in_process("evaluate", f"run={run}", "split=val", "threshold=0.3", "report=false")
        assert "What the program prints cannot be written: No space left on device" in message
    folder = run / "evaluation/drive-val_threshold-0.3"
    assert "threshold 0.3 (given)" in (folder / "table.md").read_text()
    assert json.loads((folder / "metrics.json").read_text())["protocol"]["threshold"] == 0.3


def test_an_evaluation_that_another_process_makes_is_refused_at_the_start(in_process, tiny_run, tmp_path, monkeypatch):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    monkeypatch.setattr("unet_lightning.results.maps.NetworkSource.maps", pytest.fail)
    with held(run, "drive-test"):
        assert "Another process makes the evaluation" in in_process("evaluate", f"run={run}")


def test_every_program_refuses_a_run_whose_files_lead_out_of_it(in_process, tiny_run, tmp_path):
    run, mine = shutil.copytree(tiny_run, tmp_path / "run"), tmp_path / "best.ckpt"
    (run / "checkpoints/best.ckpt").rename(mine)
    (run / "checkpoints/best.ckpt").symlink_to(mine)
    Image.new("RGB", (46, 48)).save(tmp_path / "photo.png")
    for program, *arguments in (
        ("evaluate", f"run={run}"),
        ("predict", "photo.png", "--run", run, "--out", "out"),
        ("train", f"resume={run}"),
        ("train", f"rerun={run}"),
        ("leaderboard", run),
    ):
        assert f"checkpoints/best.ckpt in it leads to {mine}" in in_process(program, *arguments)


def test_a_run_folder_does_not_say_where_photographs_are_drawn(program, in_process, tmp_path):
    small = ["data=synthetic", "data.dataset.size=[48,46]"]
    done = program("train", *TINY_RUN, *small, "trainer.max_epochs=1", "hydra.run.dir=run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    config = tmp_path / "run/config.yaml"
    config.write_text(config.read_text().replace(str(tmp_path / "data/synthetic"), str(tmp_path / "home")))
    given = ["run=run", "split=val", "report=false"]
    assert f"No drawn photographs in {tmp_path}/home" in in_process("evaluate", *given)
    assert not (tmp_path / "home").exists()
    assert program("evaluate", *given, "data.root=home", cwd=tmp_path).returncode == 0
    assert len(list((tmp_path / "home").iterdir())) == 1


def test_latest_may_be_a_link_to_a_run_or_a_part_of_it_to_another_part(program, tiny_run, tmp_path):
    run = shutil.copytree(tiny_run, tmp_path / "outputs/name/day")
    (run.parent / "latest").symlink_to("day")
    (run / "checkpoints/best.ckpt").unlink()
    (run / "checkpoints/best.ckpt").symlink_to("last.ckpt")
    done = program("evaluate", "run=outputs/name/latest", "split=val", "report=false", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (run / "evaluation/drive-val/metrics.json").is_file()


def test_a_data_set_may_be_named_anew_and_one_image_has_no_spread(program, tiny_run, tmp_path):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    given = ["data=drive", "data.val_ids=['25']", "split=val", "report=false"]
    done = program("evaluate", f"run={run}", *given, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    text = (run / "evaluation/drive-val/metrics.json").read_text()
    figures = json.loads(text, parse_constant=pytest.fail)["figures"]["model"]
    assert figures["sd"]["dice"] is None
    assert figures["mean"]["dice"] == figures["pooled"]["dice"]


def test_without_test_labels_the_test_split_says_why_and_validation_works(program, tiny_run, tiny_drive, tmp_path):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    today = shutil.copytree(tiny_drive, tmp_path / "DRIVE")
    for observer in ("1st_manual", "2nd_manual"):
        shutil.rmtree(today / "test" / observer)
    done = program("evaluate", f"run={run}", f"data.root={today}", cwd=tmp_path)
    assert done.returncode == 1
    assert "the test images of drive have no labels here" in done.stderr
    done = program("evaluate", f"run={run}", f"data.root={today}", "split=val", "report=false", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    photo = today / "test/images/01_test.tif"
    done = program("predict", photo, "--run", run, "--out", tmp_path / "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("run=nowhere", "nowhere is not a run folder: it does not exist"),
        ("run=.", "it has no config.yaml"),
        ("split=train", "split must be one of null, val, test, all, found train"),
        ("threshold=1.5", "threshold must be from 0 to 1, or val, found 1.5"),
        ("threshold=high", "threshold must be from 0 to 1, or val, found high"),
        ("tta=all", "tta must be one of none, flips, d4, found all"),
        ("scale=big", "scale must be"),
        ("tile=64", "smaller than the receptive field"),
        ("device=cuda", "no GPU"),
        ("data.root=nowhere", "No DRIVE in nowhere"),
        ("predictions=maps", "Give run=<run folder>, or predictions="),
    ],
)
def test_bad_values_end_with_one_line(in_process, tiny_run, tmp_path, override, message):
    if override == "device=cuda" and torch.cuda.is_available():
        pytest.skip("there is a GPU")
    assert message in in_process("evaluate", f"run={tiny_run}", override)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_split_is_refused(in_process, tiny_run):
    message = in_process("evaluate", f"run={tiny_run}", "data=drive", "data.val_ids=[]", "split=val")
    assert "The val split of drive has no image" in message


def test_a_label_with_a_third_value_is_named(in_process, tiny_run, tiny_drive, tmp_path_factory):
    root = shutil.copytree(tiny_drive, tmp_path_factory.mktemp("grey") / "DRIVE")
    path = root / "test/1st_manual/05_manual1.gif"
    with Image.open(path) as label:
        grey = label.convert("L")
    grey.putpixel((20, 20), 128)
    grey.save(path)
    message = in_process("evaluate", f"run={tiny_run}", f"data.root={root}")
    assert "label of image 05 has grey values" in message
    assert "expected 0 and 255" in message


def test_a_broken_config_is_named(in_process, tiny_run, tmp_path):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    for text, said in (("a: [", "config.yaml is broken"), ("name: x", "config.yaml is not the config of a run")):
        (run / "config.yaml").write_text(text)
        assert said in in_process("evaluate", f"run={run}").replace("\n", " ")


def test_a_checkpoint_of_another_model_is_refused(in_process, tiny_run, tmp_path):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    checkpoint = torch.load(run / "checkpoints/best.ckpt", weights_only=True)
    checkpoint["hyper_parameters"]["model"]["base_c"] = 3
    torch.save(checkpoint, run / "checkpoints/best.ckpt")
    assert "is of another model" in in_process("evaluate", f"run={run}")
