"""Cross-validation, thresholds from validation, maps from elsewhere, several data sets."""

import csv
import json
import shutil

import numpy as np
import pytest
import torch
from conftest import TINY_RUN
from PIL import Image

from unet_lightning.inference.maps import read_probability


def protocol_and_figures(folder):
    written = json.loads((folder / "metrics.json").read_text())
    return written["protocol"], written["figures"]


@pytest.fixture(scope="module")
def folds(program, tmp_path_factory):
    """An evaluated cross-validation of two folds."""
    cwd = tmp_path_factory.mktemp("folds")
    done = program("train", "-m", *TINY_RUN, "data.folds=2", "data.fold=0,1", f"hydra.sweep.dir={cwd / 'cv'}", cwd=cwd)
    assert done.returncode == 0, done.stderr
    done = program("evaluate", f"run={cwd / 'cv'}", "report=false", cwd=cwd)
    assert done.returncode == 0, done.stderr
    return cwd / "cv"


def test_every_training_image_is_scored_by_the_network_that_held_it_out(program, folds, tmp_path):
    rows = list(csv.DictReader((folds / "evaluation/drive-val/per_image.csv").read_text().splitlines()))
    assert [row["image_id"] for row in rows if row["observer"] == "model"] == [str(number) for number in range(21, 41)]
    for fold in (0, 1):
        run = shutil.copytree(folds / str(fold), tmp_path / str(fold))
        done = program("evaluate", f"run={run}", "split=val", "checkpoint=last", "report=false", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        maps = sorted((run / "evaluation/drive-val_checkpoint-last/probabilities").iterdir())
        assert [path.stem for path in maps] == [str(number) for number in range(21 + fold, 41, 2)]
        for path in maps:
            assert (folds / "evaluation/drive-val/probabilities" / path.name).read_bytes() == path.read_bytes()


def test_out_of_fold_figures_are_clean_and_their_threshold_is_that_of_the_other_folds(folds):
    protocol, _ = protocol_and_figures(folds / "evaluation/drive-val")
    assert protocol["leak"] == []
    assert protocol["threshold_source"] == "the images of the other folds"
    assert len(protocol["networks"]) == 2


def test_the_networks_are_one_ensemble_on_test_with_the_out_of_fold_threshold(program, folds, tmp_path):
    protocol, _ = protocol_and_figures(folds / "evaluation/drive-test")
    stored = json.loads((folds / "threshold.json").read_text())
    assert (protocol["threshold"], protocol["threshold_source"]) == (stored["threshold"], "out-of-fold images")
    maps = []
    for fold in (0, 1):
        run = shutil.copytree(folds / str(fold), tmp_path / str(fold))
        assert program("evaluate", f"run={run}", "checkpoint=last", "report=false", cwd=tmp_path).returncode == 0
        maps.append(read_probability(run / "evaluation/drive-test_checkpoint-last/probabilities/07.png"))
    ensemble = read_probability(folds / "evaluation/drive-test/probabilities/07.png")
    assert torch.allclose(ensemble, (maps[0] + maps[1]) / 2, atol=2e-5)


def test_the_best_epochs_of_a_cross_validation_leak(program, folds, tmp_path):
    sweep = shutil.copytree(folds, tmp_path / "cv")
    done = program("evaluate", f"run={sweep}", "checkpoint=best", "split=val", "report=false", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    protocol, _ = protocol_and_figures(sweep / "evaluation/drive-val_checkpoint-best")
    assert list(protocol["leak_reasons"]) == ["epoch"]
    assert len(protocol["leak"]) == 20


def test_a_photograph_is_predicted_by_the_ensemble(program, folds, tiny_drive, tmp_path):
    photo = tiny_drive / "test/images/07_test.tif"
    arguments = ["--run", folds, "--fov", "none", "--threshold", "val", "--out", tmp_path / "out"]
    done = program("predict", photo, *arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    made = read_probability(tmp_path / "out/07_test_probability.png")
    assert torch.allclose(made, read_probability(folds / "evaluation/drive-test/probabilities/07.png"), atol=2e-5)


def test_a_threshold_from_validation_is_stored_with_the_run_and_marks_the_images_it_was_chosen_on(
    program, in_process, tiny_run, tiny_drive, tmp_path
):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    photo = tiny_drive / "test/images/07_test.tif"
    predict = ["predict", photo, "--run", run, "--threshold", "val", "--out", tmp_path / "out"]
    assert "No threshold was chosen yet" in in_process(*predict)
    done = program("evaluate", f"run={run}", "threshold=val", "report=false", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    protocol, _ = protocol_and_figures(run / "evaluation/drive-test_threshold-val")
    stored = json.loads((run / "threshold.json").read_text())
    assert protocol["threshold"] == stored["threshold"]
    assert protocol["threshold_source"] == "validation images 25, 30, 35, 40"
    assert protocol["leak"] == []
    done = program("evaluate", f"run={run}", "threshold=val", "split=val", "report=false", cwd=tmp_path)
    assert "the threshold was chosen on 25, 30, 35, 40" in " ".join(done.stdout.split())
    assert program(*predict, cwd=tmp_path).returncode == 0
    assert "was chosen with another tta" in in_process(*predict, "--tta", "flips")
    assert "was chosen with another networks" in in_process(*predict, "--checkpoint", "last")


@pytest.fixture(scope="module")
def evaluation(tiny_run, program, tmp_path_factory):
    """An evaluation on the 20 test images."""
    run = shutil.copytree(tiny_run, tmp_path_factory.mktemp("evaluated") / "run")
    done = program("evaluate", f"run={run}", "report=false", cwd=run.parent)
    assert done.returncode == 0, done.stderr
    return run / "evaluation/drive-test"


@pytest.fixture
def maps(evaluation, tmp_path):
    """A folder of its probability maps."""
    return shutil.copytree(evaluation / "probabilities", tmp_path / "maps")


def test_maps_from_elsewhere_get_the_same_figures(program, evaluation, maps, tmp_path):
    array = np.asarray(Image.open(maps / "07.png")) / 65535
    np.save(maps / "07_test.npy", array.astype(np.float32))  # by the photograph's name
    (maps / "07.png").unlink()
    done = program("evaluate", f"predictions={maps}", "data=drive", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    protocol, figures = protocol_and_figures(maps / "evaluation/drive-test")
    _, expected = protocol_and_figures(evaluation)
    assert protocol["networks"] == [] and protocol["unknown_training"] == [
        "what the maps of 07 were trained on is unknown"
    ]
    for name, value in expected["model"]["pooled"].items():
        assert figures["model"]["pooled"][name] == pytest.approx(value, abs=1e-3), name


def test_maps_of_ours_say_which_images_their_network_has_seen_and_others_say_that_nobody_knows(
    program, tiny_run, tiny_drive, tmp_path
):
    photos = [tiny_drive / f"training/images/{number}_training.tif" for number in (25, 30, 35, 40)]
    done = program("predict", *photos, "--run", tiny_run, "--fov", "none", "--out", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for kind in ("probability", "mask", "npy"):
        (tmp_path / kind).mkdir()
        for number in (25, 30, 35, 40):
            made = tmp_path / f"out/{number}_training_{'mask' if kind == 'mask' else 'probability'}.png"
            if kind == "npy":
                np.save(tmp_path / f"npy/{number}.npy", read_probability(made).numpy())
            else:
                shutil.copy(made, tmp_path / kind / f"{number}.png")
        done = program("evaluate", f"predictions={kind}", "data=drive", "split=val", "report=false", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        protocol, _ = protocol_and_figures(tmp_path / kind / "evaluation/drive-val")
        said = " ".join((tmp_path / kind / "evaluation/drive-val/table.md").read_text().split())
        if kind == "npy":
            assert protocol["leak"] == [] and "What they were trained on is unknown." in said
        else:
            assert protocol["leak_reasons"] == {"epoch": ["25", "30", "35", "40"]}
            assert protocol["trained_on"] == "drive" and "unknown" not in said.replace("Commit unknown", "")


def test_two_valued_maps_have_no_auroc(program, maps, tmp_path):
    for path in maps.iterdir():
        picture = np.asarray(Image.open(path))
        Image.fromarray(((picture > 20000) * 255).astype(np.uint8)).save(path)
    done = program("evaluate", f"predictions={maps}", "data=drive", "report=false", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    _, figures = protocol_and_figures(maps / "evaluation/drive-test")
    assert "auroc" not in figures["model"]["mean"]
    assert figures["model"]["mean"]["dice"] is not None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda maps: (maps / "07.png").unlink(), "No map of image 07"),
        (lambda maps: shutil.copy(maps / "07.png", maps / "07_test.png"), "Two maps of image 07"),
        (lambda maps: Image.new("L", (48, 46)).save(maps / "07.png"), "is (46, 48), the photograph of image 07 (48, 4"),
        (lambda maps: (maps / "07.png").write_bytes(b"no picture"), "07.png"),
        (
            lambda maps: Image.new("L", (46, 48), 1).save(maps / "07.png"),
            "hold 1 to 1: of another scale, as 255 is probability 1",
        ),
    ],
)
def test_a_bad_map_is_named_and_nothing_is_written(in_process, maps, change, message):
    change(maps)
    assert message in in_process("evaluate", f"predictions={maps}", "data=drive")
    assert not (maps / "evaluation").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["data=drive", "threshold=val"], "threshold=val needs a run"),
        ([], "predictions needs the data set that the maps belong to"),
        (["data=drive", "tta=flips"], "tta: of no effect on maps from elsewhere"),
    ],
)
def test_maps_from_elsewhere_need_a_data_set_and_a_threshold(in_process, tmp_path, arguments, message):
    assert message in in_process("evaluate", f"predictions={tmp_path}", *arguments)


@pytest.fixture(scope="module")
def tiny_chase(tiny_drive, tmp_path_factory):
    """The drawn photographs under the names of CHASE_DB1."""
    folder = tmp_path_factory.mktemp("CHASE_DB1")
    names = [f"{number:02d}{eye}" for number in range(1, 15) for eye in "LR"]
    for number, name in enumerate(names):
        source = f"{number % 20 + 1:02d}"
        with Image.open(tiny_drive / f"test/images/{source}_test.tif") as photo:
            photo.save(folder / f"Image_{name}.jpg", quality=95)
        for observer, suffix in (("1st_manual", "manual1"), ("2nd_manual", "manual2")):
            with Image.open(tiny_drive / f"test/{observer}/{source}_{suffix}.gif") as label:
                label.convert("L").convert("1").save(folder / f"Image_{name}_{observer[:3]}HO.png")
    return folder


def test_several_data_sets_give_the_matrix(program, tiny_run, tiny_chase, tmp_path):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    environment = {"CHASE_DB1_ROOT": str(tiny_chase)}
    done = program(
        "evaluate", f"run={run}", "data=[drive,chase_db1]", "report=false", cwd=tmp_path, timeout=300, **environment
    )
    assert done.returncode == 0, done.stderr
    cells = []
    for name in ("drive-test", "chase_db1-test"):
        _, figures = protocol_and_figures(run / "evaluation" / name)
        cells.append(f"{figures['model']['mean']['dice']:.4f}")
    matrix = (run / "evaluation/matrix.md").read_text()
    assert [line.count("|") for line in matrix.splitlines()[:3]] == [4, 4, 4]
    assert all(cell in matrix.splitlines()[2] for cell in cells)
    protocol, _ = protocol_and_figures(run / "evaluation/chase_db1-test")
    assert protocol["region"] == "field of view, found in the photographs"
    assert (protocol["leak"], protocol["trained_on"]) == ([], "drive")


def test_a_value_for_several_data_sets_is_refused(in_process, tiny_run):
    message = in_process("evaluate", f"run={tiny_run}", "data=[drive,chase_db1]", "data.root=/x")
    assert "data.<key> is of one data set" in message


def test_the_network_of_the_paper_is_trained_evaluated_and_predicts_in_tiles(program, tiny_drive, tmp_path):
    run = tmp_path / "run"
    done = program("train", "model=unet_paper", *TINY_RUN, f"hydra.run.dir={run}", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    done = program("evaluate", f"run={run}", "tta=flips", "report=false", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    protocol, _ = protocol_and_figures(run / "evaluation/drive-test_tta-flips")
    assert (protocol["tta"], protocol["images"]) == ("flips", 20)
    photo = tiny_drive / "test/images/07_test.tif"
    for tile in ("none", "204"):
        arguments = ["--run", run, "--out", tmp_path / tile, "--tile", tile]
        done = program("predict", photo, *arguments, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    whole, tiled = (read_probability(tmp_path / tile / "07_test_probability.png") for tile in ("none", "204"))
    assert torch.allclose(whole, tiled, atol=1e-4)


def test_what_weights_have_seen_is_remembered_across_data_sets(program, tiny_run, tiny_drive, tiny_chase, tmp_path):
    # Trained on DRIVE, then from those weights on CHASE_DB1: DRIVE's training images have been seen.
    run, environment = tmp_path / "run", {"CHASE_DB1_ROOT": str(tiny_chase)}
    settings = [*TINY_RUN, "data=chase_db1", f"model.weights={tiny_run}/checkpoints/best.ckpt"]
    done = program("train", *settings, f"hydra.run.dir={run}", cwd=tmp_path, **environment)
    assert done.returncode == 0, done.stderr
    done = program("evaluate", f"run={run}", "data=drive", "split=all", "report=false", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    protocol, _ = protocol_and_figures(run / "evaluation/drive-all")
    assert protocol["leak_reasons"]["trained"][:20] == [str(number) for number in range(21, 41)]
    # And the test images: the drawn CHASE_DB1 has compressed copies of them, with the same labels.
    assert protocol["seen_as"] | {"01": "01L of chase_db1", "20": "10R of chase_db1"} == protocol["seen_as"]
    assert "best.ckpt: they saw images of drive" in " ".join(done.stdout.split())


def test_nothing_of_an_earlier_evaluation_stays(program, tiny_run, tmp_path):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    folder = run / "evaluation/drive-val"
    assert program("evaluate", f"run={run}", "split=val", cwd=tmp_path).returncode == 0
    assert (folder / "report.html").is_file()
    assert program("evaluate", f"run={run}", "split=val", "report=false", cwd=tmp_path).returncode == 0
    assert sorted(path.name for path in folder.rglob("*")) == [
        *(f"{number}.png" for number in (25, 30, 35, 40)),
        "metrics.json",
        "per_image.csv",
        "probabilities",
        "table.md",
    ]
