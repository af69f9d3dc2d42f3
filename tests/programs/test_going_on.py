"""What a run that goes on refuses, and that it is then left as it was."""

import csv
import json
import shutil

import pytest
import torch
import yaml
from conftest import TINY_RUN
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from unet_lightning.errors import RunError
from unet_lightning.program import CONF
from unet_lightning.request import register_resolver, with_typed
from unet_lightning.training.checks import check_checkpoint


@pytest.fixture
def run(tiny_run, tmp_path):
    """A finished run of two epochs, of two steps each."""
    return shutil.copytree(tiny_run, tmp_path / "run")


def rows(folder):
    with (folder / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in (".yaml", ".json", ".csv")}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("trainer.max_epochs=4", "planned over 4 optimizer steps, now there are 8"),
        ("trainer.max_epochs=1", "trainer.max_epochs=1, and the run in"),
        ("trainer.max_steps=3", "trainer.max_steps=3, and the run in"),
        ("trainer=ddp_cpu", "trained in 1 processes of data.batch_size images each, now there are 2"),
        ("data.val_ids=['21','22']", "data.val_ids was ['25', '30', '35', '40'], now ['21', '22']"),
        ("data.batch_size=4", "data.batch_size was 8, now 4. Leave them out, or give them to a new run: rerun="),
        ("data.augment.crop=16", "data.augment.crop was 32, now 16"),
        ("data/augment=rotate_zoom_crop", "data.augment._target_ was"),
        ("~data.augment.brightness", "data.augment.brightness was 0.2, now not there"),
        ("optimizer.lr=1e-7", "optimizer.lr was 0.003, now 1e-07"),
        ("model.bilinear=false", "model.bilinear was True, now False"),
        ("loss=dice", "loss.terms was"),
        ("callbacks=ema", "callbacks.average was not there"),
        ("trainer.precision=bf16-mixed", "trainer.precision was 32-true, now bf16-mixed"),
        ("trainer.limit_train_batches=1", "trainer.limit_train_batches was 1.0, now 1"),
        ("seed=5", "seed was 0, now 5"),
        ("hydra.run.dir=elsewhere", "leave hydra.run.dir out"),
        ("resume=other", "other is not a run folder"),
        ("++rerun=other", "give one of them"),
        ("experiment=demo", "has made that choice already"),
    ],
)
def test_a_change_that_is_refused_leaves_the_run_as_it_was(in_process, run, given, said):
    before = files(run)
    assert said in in_process("train", f"resume={run}", given)
    assert files(run) == before
    assert not (run / "error.txt").exists()


def test_a_config_that_was_edited_since_is_refused(in_process, run):
    path = run / "config.yaml"
    path.write_text(path.read_text().replace("batch_size: 8", "batch_size: 4"))
    before = files(run)
    assert "data.batch_size was 8, now 4" in in_process("train", f"resume={run}", "trainer.max_time=00:01:00:00")
    assert files(run) == before


def test_what_does_not_make_another_experiment_may_change(program, run, tiny_drive, tmp_path):
    moved = shutil.copytree(tiny_drive, tmp_path / "moved")
    given = [
        "data.num_workers=1",
        "data.root=moved",
        "trainer=cpu",
        "logger=tensorboard",
        "deterministic=true",
        "seed=0",
    ]
    given += ["trainer.enable_progress_bar=false", "trainer.max_time=00:01:00:00", "callbacks.panels.count=1"]
    before = yaml.safe_load((run / "config.yaml").read_text())
    done = program("train", "resume=run", *given, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (said,) = [line for line in done.stdout.splitlines() if line.startswith("Goes on with other values: ")]
    assert f"data.root {tiny_drive} -> moved" in said and "data.num_workers auto -> 1" in said
    after = yaml.safe_load((run / "config.yaml").read_text())
    assert after["data"] == before["data"] | {"num_workers": 1, "root": str(moved)}
    assert after["trainer"]["max_epochs"] == 2  # of the run, not of conf/trainer/cpu.yaml
    attempts = yaml.safe_load((run / "repro.yaml").read_text())["attempts"]
    assert [attempt["overrides"][-len(given) :] for attempt in attempts][1:] == [given]


@pytest.mark.parametrize(
    ("words", "epochs", "accelerator"),
    [(["trainer=cpu"], 2, "cpu"), (["trainer=cpu", "trainer.max_epochs=7"], 7, "cpu"), ([], 2, "auto")],
)
def test_a_run_that_is_repeated_elsewhere_trains_for_as_long(run, monkeypatch, words, epochs, accelerator):
    recorded = yaml.safe_load((run / "config.yaml").read_text())
    recorded["trainer"]["accelerator"] = "auto"
    register_resolver()
    with initialize_config_dir(CONF, version_base="1.3"):
        composed = compose("train", [*words, "hydra.run.dir=x"], return_hydra_config=True)
        monkeypatch.setattr(HydraConfig.instance(), "cfg", composed)
        present = {key: OmegaConf.to_container(composed[key]) for key in ("trainer", "callbacks", "logger")}
        found = with_typed(recorded, present)["trainer"]
    assert (found["max_epochs"], found["accelerator"]) == (epochs, accelerator)


@pytest.mark.parametrize("group", ["callbacks", "logger", "optimizer"])
def test_a_group_that_is_a_list_is_one_error(in_process, tmp_path, group):
    (tmp_path / "own" / group).mkdir(parents=True)
    (tmp_path / "own" / group / "mine.yaml").write_text(f"# @package _global_\n{group}: [1, 2]\n")
    said = in_process("train", "--config-dir", tmp_path / "own", *TINY_RUN, f"{group}=mine")
    assert f"{group} must be a mapping of names and values, found [1, 2]" in said


def test_a_run_of_several_classes_of_an_earlier_version_is_not_gone_on_with(run):
    path = run / "checkpoints/last.ckpt"
    found = torch.load(path, weights_only=True)
    state = found["SegmentationDataModule"]
    state["classes"] = ["background", "disc", "cup"]
    torch.save(found, path)
    check_checkpoint(path)
    state.pop("contents")
    torch.save(found, path)
    with pytest.raises(RunError, match="of an earlier version, which chose the epoch by the Dice of the first class"):
        check_checkpoint(path)


def test_a_run_begins_from_the_weights_of_another_run(program, run, tmp_path):
    (tmp_path / "latest").symlink_to("run")  # which may become another run
    given = ["rerun=run", "model.weights=latest", "trainer.max_epochs=1", "hydra.run.dir=next"]
    done = program("train", *given, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    weights = yaml.safe_load((tmp_path / "next/config.yaml").read_text())["model"]["weights"]
    assert weights == str(run / "checkpoints/best.ckpt")
    state = torch.load(tmp_path / "next/checkpoints/last.ckpt", weights_only=True)["SegmentationDataModule"]
    assert len(state["inherited"]["drive"]) == 20


def test_a_checkpoint_of_the_middle_of_an_epoch_is_not_gone_on_with(in_process, run):
    shutil.copy(run / "checkpoints/best.ckpt", run / "checkpoints/last.ckpt")
    assert "written before the end of its epoch, as best.ckpt is" in in_process("train", f"resume={run}")


@pytest.mark.parametrize("name", ["checkpoints", "train.log", ".lock"])
def test_nothing_is_written_or_removed_where_a_run_folder_leads_elsewhere(in_process, run, tmp_path, name):
    elsewhere = tmp_path / "elsewhere"
    if (run / name).is_dir():
        (run / name).rename(elsewhere)
        (elsewhere / ".profile").write_text("mine")
    else:
        elsewhere.write_text("mine")
        (run / name).unlink(missing_ok=True)
    (run / name).symlink_to(elsewhere)
    assert f"{name} in it leads to {elsewhere}" in in_process("train", f"resume={run}")
    assert (elsewhere / ".profile" if elsewhere.is_dir() else elsewhere).read_text() == "mine"


def test_only_torn_checkpoints_are_cleared_away(program, run, tmp_path):
    (run / "checkpoints/.ipynb_checkpoints").mkdir()
    (run / "checkpoints/.last.4711.ckpt").write_bytes(b"half")
    done = program("train", f"resume={run}", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    hidden = [path.name for path in (run / "checkpoints").iterdir() if path.name.startswith(".")]
    assert hidden == [".ipynb_checkpoints"]


@pytest.mark.parametrize("lost", ["checkpoints/last.ckpt", "config.yaml"])
def test_training_from_scratch_writes_over_no_checkpoint(in_process, run, lost):
    (run / lost).unlink()
    best = (run / "checkpoints/best.ckpt").read_bytes()
    command = [f"resume={run}"] if "last" in lost else [*TINY_RUN, f"hydra.run.dir={run}", "resume=auto"]
    assert "training would write over it" in in_process("train", *command)
    assert (run / "checkpoints/best.ckpt").read_bytes() == best


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("callbacks", None),
        ("SegmentationDataModule", None),
        ("global_step", "x"),
        ("loops", {}),
        ("lr_schedulers", [{}]),
    ],
)
def test_a_checkpoint_that_lacks_what_it_takes_is_one_line(in_process, run, key, value):
    path = run / "checkpoints/last.ckpt"
    torch.save(torch.load(path, weights_only=True) | {key: value}, path)
    assert "cannot go on from" in in_process("train", f"resume={run}")
    assert json.loads((run / "state.json").read_text())["state"] == "done"


def test_time_that_is_up_ends_a_run_after_a_whole_epoch(program, tmp_path):
    settings = [*TINY_RUN, "deterministic=true", "scheduler=none"]
    short = [*settings, "trainer.max_epochs=1000", "trainer.max_time=00:00:00:01"]
    done = program("train", *short, "hydra.run.dir=parted", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    epochs = len(rows(tmp_path / "parted"))
    assert [int(row["step"]) for row in rows(tmp_path / "parted")] == [2 * n for n in range(1, epochs + 1)]
    last = f"trainer.max_epochs={epochs + 2}"
    done = program("train", "resume=parted", last, "trainer.max_time=00:01:00:00", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert program("train", *settings, last, "hydra.run.dir=whole", cwd=tmp_path).returncode == 0
    assert len(rows(tmp_path / "parted")) == epochs + 2
    whole, parted = (
        torch.load(tmp_path / name / "checkpoints/last.ckpt", weights_only=True)["state_dict"]
        for name in ("whole", "parted")
    )
    assert all(torch.equal(whole[name], value) for name, value in parted.items())


def test_a_run_that_max_steps_has_cut_is_not_gone_on_with(program, in_process, tmp_path):
    settings = [*TINY_RUN, "scheduler=none", "trainer.max_steps=3", "hydra.run.dir=run"]
    assert program("train", *settings, cwd=tmp_path).returncode == 0
    message = in_process("train", f"resume={tmp_path / 'run'}", "trainer.max_steps=6", "trainer.max_epochs=3")
    assert "in the middle of an epoch, after step 3" in message


@pytest.mark.parametrize("flags", [["--config-dir", "run", "--config-name", "config"], ["-cd", "run", "-cn=config"]])
def test_the_folder_of_a_run_is_no_folder_of_configs(in_process, run, flags):
    assert "train it once more by rerun=run" in in_process("train", *flags)


def test_a_run_is_repeated_with_other_values_and_files(program, run, tmp_path):
    given = ["trainer.max_epochs=1", "callbacks=ema", "loss=dice", "~callbacks.panels", "hydra.run.dir=again"]
    done = program("train", "rerun=run", *given, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    config = yaml.safe_load((tmp_path / "again/config.yaml").read_text())
    assert (config["model"]["base_c"], config["trainer"]["max_epochs"]) == (2, 1)
    assert config["loss"] == {"_target_": "unet_lightning.losses.dice.DiceLoss"}
    assert "average" in config["callbacks"]
    assert "panels" not in config["callbacks"]
    attempt = yaml.safe_load((tmp_path / "again/repro.yaml").read_text())["attempts"][0]
    assert (attempt["kind"], attempt["overrides"]) == ("repeated", given[:-1])


def test_a_config_is_shown_by_the_short_flag_too(program, run, tmp_path):
    done = program("train", "-c", "job", "model.base_c=3", cwd=tmp_path)
    assert done.returncode == 0 and "base_c: 3" in done.stdout, done.stderr
