import csv
import resource
import shutil

import pytest
import torch
import yaml
from conftest import TINY_RUN


def rows(folder):
    return list(csv.DictReader((folder / "metrics.csv").read_text().splitlines()))


def test_a_run_folder_holds_all_that_a_later_program_needs(tiny_run):
    names = {path.name for path in tiny_run.iterdir()}
    assert names >= {"config.yaml", "checkpoints", "metrics.csv", "curves.png", "train.log"}
    assert {path.name for path in (tiny_run / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}
    assert yaml.safe_load((tiny_run / "config.yaml").read_text())["model"]["base_c"] == 2


def test_metrics_have_one_row_an_epoch(tiny_run):
    assert [(row["epoch"], row["step"]) for row in rows(tiny_run)] == [("0", "2"), ("1", "4")]
    assert all(float(row["val/dice_per_image"]) >= 0 and float(row["lr"]) > 0 for row in rows(tiny_run))


@pytest.mark.parametrize("name", ["best", "last"])
def test_a_checkpoint_is_data(tiny_run, name):
    checkpoint = torch.load(tiny_run / "checkpoints" / f"{name}.ckpt", weights_only=True)
    assert checkpoint["SegmentationDataModule"]["val_ids"] == ["25", "30", "35", "40"]
    assert len(checkpoint["SegmentationDataModule"]["train_ids"]) == 16


def test_resume_goes_on_in_the_same_folder_and_ends_as_if_never_stopped(program, tmp_path):
    # A constant learning rate does not depend on where the run ends.
    whole, parted = tmp_path / "whole", tmp_path / "parted"
    settings = [*TINY_RUN, "scheduler=none", "trainer.deterministic=true"]
    for folder, epochs in ((whole, 4), (parted, 2)):
        done = program("train", *settings, f"trainer.max_epochs={epochs}", f"hydra.run.dir={folder}", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    resumed = program("train", f"resume={parted}", "trainer.max_epochs=4", cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    assert not (tmp_path / "outputs").exists()
    drop = {"seconds"}
    assert [{k: r[k] for k in r.keys() - drop} for r in rows(parted)] == [
        {k: r[k] for k in r.keys() - drop} for r in rows(whole)
    ]
    first, second = (torch.load(run / "checkpoints/last.ckpt", weights_only=True) for run in (whole, parted))
    assert all(torch.equal(first["state_dict"][name], value) for name, value in second["state_dict"].items())


def test_resume_of_a_finished_run_with_a_schedule_refuses_another_length(in_process, tiny_run, tmp_path):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    message = in_process("train", f"resume={run}", "trainer.max_epochs=3")
    assert "planned over 4 optimizer steps, now there are 6" in message


def test_a_run_goes_on_where_it_has_been_moved_to(program, tiny_run, tmp_path):
    moved = shutil.copytree(tiny_run, tmp_path / "moved")
    before = (tiny_run / "checkpoints/last.ckpt").stat().st_mtime_ns
    done = program("train", f"resume={moved}", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Best val/dice_per_image" in done.stdout
    assert (tiny_run / "checkpoints/last.ckpt").stat().st_mtime_ns == before
    assert str(tmp_path) not in (moved / "config.yaml").read_text()


def test_two_processes_with_loading_processes_and_unlike_numbers_of_validation_images_train_one_run_and_resume(
    program, tmp_path
):
    settings = [*TINY_RUN[1:], "trainer=ddp_cpu", "data.val_ids=['21','22','23']", "scheduler=none"]
    settings += ["data.num_workers=1", "deterministic=true"]
    whole = program("train", *settings, "hydra.run.dir=whole", cwd=tmp_path, OMP_NUM_THREADS="1")
    assert whole.returncode == 0, whole.stderr
    done = program("train", *settings, "trainer.max_epochs=1", "hydra.run.dir=run", cwd=tmp_path, OMP_NUM_THREADS="1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("parameters on drive") == done.stdout.count("Run folder:") == 1
    assert "sync_dist" not in done.stderr
    assert "GPU available" not in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run", "whole"]
    done = program("train", "resume=run", "trainer.max_epochs=2", cwd=tmp_path, OMP_NUM_THREADS="1")
    assert done.returncode == 0, done.stderr
    assert [row["epoch"] for row in rows(tmp_path / "run")] == ["0", "1"]
    first, second = (torch.load(tmp_path / name / "checkpoints/last.ckpt")["state_dict"] for name in ("whole", "run"))
    assert all(torch.equal(first[name], value) for name, value in second.items())


def test_resume_is_of_one_run(in_process, tiny_run):
    assert "leave -m out" in in_process("train", "-m", f"resume={tiny_run}")


def test_an_epoch_without_validation_has_no_validation_figures(program, tmp_path):
    settings = [*TINY_RUN, "trainer.max_epochs=5", "trainer.max_steps=3", f"hydra.run.dir={tmp_path / 'run'}"]
    assert program("train", *settings, cwd=tmp_path).returncode == 0
    first, second = rows(tmp_path / "run")
    assert first["val/loss"]
    assert not second["val/loss"]


@pytest.mark.parametrize("plain", [False, True], ids=["checkpoint", "plain state dict"])
def test_images_that_the_initial_weights_have_seen_are_remembered(program, tiny_run, tmp_path, plain):
    # The first run has seen all of 21 to 40; this one trains and validates on two of them.
    weights = tiny_run / "checkpoints/last.ckpt"
    if plain:
        state = torch.load(weights, weights_only=True)["state_dict"]
        weights = tmp_path / "plain.pth"
        torch.save({name.removeprefix("network."): value for name, value in state.items()}, weights)
    settings = [*TINY_RUN, "trainer.max_epochs=1", f"model.weights={weights}"]
    done = program("train", *settings, f"hydra.run.dir={tmp_path / 'run'}", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    state = torch.load(tmp_path / "run/checkpoints/last.ckpt", weights_only=True)["SegmentationDataModule"]
    assert sorted(state["inherited"]["drive"]) == [str(number) for number in range(21, 41)]


def test_without_validation_images_all_are_trained_on_and_the_last_checkpoint_counts(program, tmp_path):
    run = tmp_path / "run"
    settings = [*TINY_RUN, "data.val_ids=null", "trainer.max_epochs=1", f"hydra.run.dir={run}"]
    done = program("train", *settings, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "20 images to train, 0 to validate" in done.stdout
    assert "Total length" not in done.stderr
    assert [path.name for path in (run / "checkpoints").iterdir()] == ["last.ckpt"]
    done = program("evaluate", f"run={run}", "report=false", cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_latest_leads_to_the_newest_run_of_a_name(program, tmp_path):
    for day in ("first", "second"):
        done = program("train", *TINY_RUN, "trainer.max_epochs=1", f"hydra.run.dir=outputs/train/{day}", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "outputs/train/latest").resolve().name == day
    sweep = ["-m", *TINY_RUN, "trainer.max_epochs=1", "hydra.sweep.dir=outputs/train/third", "seed=0"]
    assert program("train", *sweep, cwd=tmp_path).returncode == 0
    assert (tmp_path / "outputs/train/latest").resolve() == tmp_path / "outputs/train/third"


def test_weights_of_the_tutorial_are_where_training_begins(program, tmp_path):
    from unet_lightning.models.unet import UNet

    torch.save({"model": UNet(base_c=2).state_dict()}, tmp_path / "tutorial.pth")
    settings = [*TINY_RUN, "trainer.max_epochs=1", "optimizer.lr=0", f"hydra.run.dir={tmp_path / 'run'}"]
    done = program("train", *settings, f"model.weights={tmp_path / 'tutorial.pth'}", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    trained = torch.load(tmp_path / "run/checkpoints/last.ckpt", weights_only=True)["state_dict"]
    begun = torch.load(tmp_path / "tutorial.pth", weights_only=True)["model"]
    assert torch.equal(trained["network.in_conv.0.weight"], begun["in_conv.0.weight"])
    (tmp_path / "tutorial.pth").unlink()  # a run that goes on has weights of its own
    done = program("train", f"resume={tmp_path / 'run'}", cwd=tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model.base_c=0", "model.base_c must be at least 1, found 0"),
        ("model.num_classes=1", "model.num_classes must be at least 2, found 1"),
        ("model.in_channels=1", "takes photographs of 1 channels, those of the data have 3"),
        ("data.augment.crop=0", "data.augment.crop must be a whole number of pixels from 1, found 0"),
        ("data.augment.crop=1.5", "data.augment.crop must be a whole number of pixels from 1, found 1.5"),
        ("seed=-1", "seed must be a whole number from 0"),
        ("seed=null", "seed must be a whole number from 0"),
        ("optimizer.lr=-1", "torch.optim.AdamW refuses its arguments: Invalid learning rate: -1"),
        ("loss.terms.cross_entropy.class_weights=[1,1,1]", "3 class weights for 2 classes"),
        ("model.base_c=wide", "model.base_c must be at least 1, found wide"),
        ("trainer.devices=9", "4 validation images for 9 processes"),
        ("trainer.precision=banana", "Precision 'banana' is invalid"),
        ("data.batch_size=0", "data.batch_size must be at least 1, found 0"),
        ("data.val_ids=['99']", "No image 99"),
        ("data.folds=5", "data.folds and data.fold go together"),
        ("+model.depth=3", "unexpected keyword argument 'depth'"),
        ("+loss.weights.focal=1.0", "give each term one weight"),
        ("model.weights=nowhere.pth", "nowhere.pth"),
        ("model._target_=os.system", "os.system refuses its arguments"),
        ("trainer.devices=-7", "devices"),
        ("data.root=nowhere", "data=synthetic"),
        ("data.root=null", "data.root is empty"),
        ("resume=nowhere", "leave hydra.run.dir out"),
    ],
)
def test_bad_values_end_with_one_line_and_no_run(in_process, tmp_path, override, message):
    assert message in in_process("train", *TINY_RUN, override, "hydra.run.dir=run")
    assert not (tmp_path / "run").exists()


def test_a_missing_mask_is_named(in_process, tiny_drive, tmp_path):
    broken = shutil.copytree(tiny_drive, tmp_path / "DRIVE")
    (broken / "training/mask/33_training_mask.gif").unlink()
    message = in_process("train", *TINY_RUN, f"data.root={tmp_path}")
    assert "No field-of-view mask for image 33: looked for" in message
    assert "33_training_mask.gif" in message


def test_a_run_does_not_overwrite_another(in_process, tiny_run, tmp_path):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    assert "resume=run, or choose" in in_process("train", *TINY_RUN, f"hydra.run.dir={run}")
    assert (run / "metrics.csv").read_text() == (tiny_run / "metrics.csv").read_text()


@pytest.mark.parametrize("flags", [["--help"], ["--cfg", "job"]])
def test_help_and_config_answer_without_torch(program, tmp_path, flags):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = program("train", *flags, cwd=tmp_path, PYTHONPROFILEIMPORTTIME="1", anew=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert done.returncode == 0
    assert "bilinear" in done.stdout
    assert "| torch\n" not in done.stderr
    assert seconds < 2.5  # of the processor; with torch it is about four
