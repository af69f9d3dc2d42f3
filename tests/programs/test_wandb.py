"""The offline run file is read back: what W&B would show is what was written."""

import csv
import json
import signal
import time
from itertools import pairwise
from pathlib import Path

import pytest
import torch
import yaml
from conftest import TINY_RUN
from PIL import Image
from wandb_files import offline_runs

from unet_lightning.training.provenance import commit

OFFLINE = [*TINY_RUN, "trainer.enable_progress_bar=false", "logger=wandb", "logger.wandb.mode=offline"]
# The environment of who has just tracked a run of their own, which is none of these.
NAMED = {f"WANDB_{name}": "another" for name in ("RUN_ID", "RUN_GROUP", "NAME", "RUN_NAME", "JOB_TYPE", "SWEEP_ID")} | {
    "WANDB_RESUME": "must"
}
IDS = ["25", "30", "35", "40"]  # of DRIVE's validation split


def rows(folder):
    return list(csv.DictReader((folder / "metrics.csv").read_text().splitlines()))


@pytest.fixture(scope="module")
def sweep(program, tmp_path_factory):
    cwd = tmp_path_factory.mktemp("sweep")
    settings = [*OFFLINE, "score=true", "trainer.log_every_n_steps=1"]
    settings += ["logger.wandb.tags=[tiny]", "logger.wandb.notes=drawn"]
    given = ["hydra.sweep.dir=outputs/train/day", "model.bilinear=true,false"]
    done = program("train", "-m", *settings, *given, cwd=cwd, **NAMED)
    assert done.returncode == 0, done.stderr
    return cwd / "outputs/train/day"


@pytest.fixture(scope="module")
def run(sweep):
    (found,) = offline_runs(sweep / "0")
    return found


def test_each_job_of_a_sweep_is_one_run_with_its_own_config(sweep):
    found = [offline_runs(sweep / job) for job in ("0", "1")]
    assert [len(runs) for runs in found] == [1, 1]
    assert [runs[0].config["model"]["bilinear"] for runs in found] == [True, False]
    assert found[0][0].id != found[1][0].id
    for job, (one,) in zip(("0", "1"), found, strict=True):
        assert one.id == (sweep / job / "wandb-id").read_text().strip()
        assert (one.name, one.group, one.job_type) == (f"day/{job}", "train/day", "train")
        assert one.exit_codes == [0]


def test_the_config_is_plain_and_says_commit_and_folder(run, sweep):
    written = yaml.safe_load((sweep / "0" / "config.yaml").read_text())
    written["data"]["root"] = Path(written["data"]["root"]).name  # where it is, the run folder alone says
    assert {name: run.config[name] for name in ("model", "data", "loss", "seed")} == {
        name: written[name] for name in ("model", "data", "loss", "seed")
    }
    assert run.config["commit"] == commit()
    assert run.config["run_folder"] == f"{sweep.name}/0"
    assert (run.tags, run.notes) == (["tiny"], "drawn")


def test_the_learning_curves_are_those_of_metrics_csv(run, sweep):
    written = rows(sweep / "0")
    for name in ("train/loss", "val/loss", "val/dice_per_image", "train/grad_norm"):
        assert run.column(name) == pytest.approx([float(row[name]) for row in written])
    assert len(run.column("grad_norm")) == 4  # a figure a step
    steps = run.column("trainer/global_step")
    assert steps == sorted(steps)


def test_the_same_photographs_are_shown_each_epoch_with_masks_of_small_integers(run):
    shown = run.column("val/images")
    assert [one["captions"] for one in shown] == [IDS, IDS]
    for one in shown:
        with Image.open(run.files / one["filenames"][0]) as photo:
            assert photo.size == (46, 48)
            assert photo.convert("L").getextrema()[1] > 60  # floats would have come out black
        for mask in one["all_masks"]:
            for name in ("ground_truth", "prediction"):
                with Image.open(run.files / mask[name]["path"]) as image:
                    assert set(image.convert("L").tobytes()) <= {0, 1, 2}
    with Image.open(run.files / shown[0]["all_masks"][0]["ground_truth"]["path"]) as truth:
        assert set(truth.convert("L").tobytes()) == {0, 1, 2}  # background, vessel, not counted


def test_the_summary_says_the_best_figures_and_no_intervals_of_four_images(run, sweep):
    written = json.loads((sweep / "0/evaluation/drive-val/metrics.json").read_text())
    figures = written["figures"]["model"]
    for name, figure in (("dice_per_image", "dice"), ("auroc", "auroc"), ("ece", "ece")):
        assert run.summary[f"best/{name}"] == pytest.approx(figures["mean"][figure])
        assert figures["low"][figure] is None and f"best/{name}_low" not in run.summary
    assert run.summary["best/dice_pooled"] == pytest.approx(figures["pooled"]["dice"])
    assert run.summary["best/epoch"] == written["protocol"]["networks"][0]["epoch"]


def test_curves_and_table_are_those_of_the_evaluation(run, sweep):
    written = json.loads((sweep / "0/evaluation/drive-val/metrics.json").read_text())
    points = run.table("best/precision_recall_table")
    assert len(points) <= 200
    assert (points[0]["recall"], points[0]["precision"], points[-1]["recall"]) == (0, 1, 1)
    filled = [one["share"] for one in written["calibration"]["model"] if one["pixels"]]
    assert [one["share of vessels"] for one in run.table("best/calibration_table")] == pytest.approx(filled)
    with (sweep / "0/evaluation/drive-val/per_image.csv").open(newline="") as file:
        expected = [float(row["dice"]) for row in csv.DictReader(file) if row["observer"] == "model"]
    table = run.table("best/per_image")
    assert [row["image"] for row in table] == IDS
    assert [row["dice"] for row in table] == pytest.approx(expected)


def test_the_best_checkpoint_is_an_artifact_with_its_protocol(run, sweep):
    (model,) = [one for one in run.artifacts if one.type == "model"]
    (entry,) = model.manifest.contents
    assert entry.local_path == str(sweep / "0/checkpoints/best.ckpt")  # not copied
    assert torch.load(entry.local_path, weights_only=True)["epoch"] == run.summary["best/epoch"]
    assert json.loads(model.metadata)["trained_on"] == "drive"
    assert "best" in model.aliases


def test_an_evaluation_is_a_run_of_its_own_in_the_group_of_its_run(program, sweep):
    job = sweep / "1"
    settings = [f"run={job}", "report=false", "logger=wandb", "logger.wandb.mode=offline"]
    done = program("evaluate", *settings, cwd=sweep, **NAMED)
    assert done.returncode == 0, done.stderr
    (one,) = offline_runs(job / "evaluation/drive-test")
    assert one.id not in (NAMED["WANDB_RUN_ID"], (job / "wandb-id").read_text().strip())
    assert (one.group, one.job_type, one.exit_codes) == ("train/day", "evaluate", [0])
    assert (one.config["run"], one.config["protocol"]["split"]) == ("day/1", "test")
    figures = json.loads((job / "evaluation/drive-test/metrics.json").read_text())["figures"]["model"]
    found = [one.summary[f"test/dice_per_image{end}"] for end in ("", "_low", "_high")]
    assert found == pytest.approx([figures[which]["dice"] for which in ("mean", "low", "high")])
    assert len(one.table("test/per_image")) == 60  # 20 images: model, second observer, one against the other
    assert [one.type for one in one.artifacts].count("model") == 0
    assert not (sweep / "wandb").exists()


def test_a_run_that_fails_is_recorded_as_failed(program, tmp_path):
    # The schedule is built when training begins.
    done = program("train", *OFFLINE, "hydra.run.dir=run", "scheduler.warmup=2", cwd=tmp_path)
    assert done.returncode == 1
    assert "scheduler.warmup must be from 0 to 1" in done.stderr
    (one,) = offline_runs(tmp_path / "run")
    assert one.exit_codes == [1]


def test_a_requeued_job_goes_on_in_the_same_run(training, program, tmp_path):
    process = training(*OFFLINE, "trainer.max_epochs=10000", "scheduler=none", "hydra.run.dir=run")
    process.send_signal(signal.SIGUSR2)
    process.communicate(timeout=30)
    before = len(rows(tmp_path / "run"))
    time.sleep(1)  # W&B names folders by the second
    done = program("train", "resume=run", f"trainer.max_epochs={before + 2}", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    first, second = offline_runs(tmp_path / "run")
    assert (first.exit_codes, first.preempting) == ([140], True)
    assert (second.exit_codes, second.preempting) == ([0], False)
    assert first.id == second.id
    # The second part tells of every epoch, as it takes the place of the first when both are uploaded.
    steps = [2 * (epoch + 1) - 1 for epoch in range(before + 2)]  # two steps an epoch
    assert [row["trainer/global_step"] for row in second.history if "train/loss" in row] == steps
    assert second.column("val/loss") == pytest.approx([float(row["val/loss"]) for row in rows(tmp_path / "run")])
    assert all(a <= b for a, b in pairwise(second.column("trainer/global_step")))


def test_without_an_account_nothing_begins_and_the_way_out_is_named(in_process, tmp_path, monkeypatch):
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    message = in_process("train", *TINY_RUN, "logger=wandb", "hydra.run.dir=run")
    for said in ("wandb login", "WANDB_API_KEY", "logger.wandb.mode=offline", "logger=csv"):
        assert said in message
    assert not (tmp_path / "run").exists()


def test_with_a_key_but_no_network_the_wait_has_an_end(program, tmp_path):
    settings = [*TINY_RUN, "logger=wandb", "logger.wandb.settings.init_timeout=1", "hydra.run.dir=run"]
    nowhere = {"WANDB_API_KEY": "0" * 40, "WANDB_BASE_URL": "http://127.0.0.1:9"}
    nowhere["WANDB_SILENT"] = "true"  # else it also asks for the name of the user, which takes it a quarter of a minute
    done = program("train", *settings, cwd=tmp_path, **nowhere)
    assert done.returncode == 1
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and "logger.wandb.mode=offline" in errors[0]
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run/metrics.csv").exists()


def test_a_disabled_run_writes_nothing_of_wandb(program, tmp_path):
    settings = [*TINY_RUN, "trainer.max_epochs=1", "logger=wandb", "logger.wandb.mode=disabled", "hydra.run.dir=run"]
    done = program("train", *settings, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert not list(tmp_path.glob("**/*.wandb"))
