import csv
import datetime
import json
import shutil
import signal

import pytest
import torch
import yaml
from conftest import TINY_RUN, without_trackers
from torch.utils._pytree import tree_flatten

from unet_lightning.models.unet import UNet

QUIET = "trainer.enable_progress_bar=false"


def state(folder):
    return json.loads((folder / "state.json").read_text())


@pytest.fixture(scope="module")
def half(program, tmp_path_factory):
    """A sweep with two good jobs and two that lack a file, and what it said."""
    cwd = tmp_path_factory.mktemp("half")
    choices = ["model.bilinear=true,false", "model.weights=null,w.pth"]
    done = program(
        "train", *TINY_RUN, "score=true", "-m", *choices, "hydra.sweep.dir=outputs/train/first", QUIET, cwd=cwd
    )
    return cwd, done


def test_a_failed_job_is_recorded_and_the_sweep_goes_on(half):
    cwd, done = half
    assert done.returncode == 2, done.stderr  # as many as have failed
    sweep = cwd / "outputs/train/first"
    assert [state(sweep / job)["state"] for job in "0123"] == ["done", "failed", "done", "failed"]
    for job in "13":
        assert "No checkpoint: looked for" in state(sweep / job)["error"]
        assert "Traceback" in (sweep / job / "error.txt").read_text()
    assert f"error: jobs 1, 3: No checkpoint: looked for {cwd / 'w.pth'}" in done.stderr
    assert "4 jobs: 2 done, 2 failed" in done.stdout
    assert "Go on: python -m unet_lightning.train resume=outputs/train/first" in done.stdout


def test_each_job_has_its_folder_config_and_results(half):
    sweep = half[0] / "outputs/train/first"
    assert sorted(path.name for path in sweep.iterdir()) == ["0", "1", "2", "3", "multirun.yaml", "sweep.yaml"]
    assert (sweep.parent / "latest").resolve() == sweep.resolve()
    for job, bilinear in (("0", True), ("2", False)):
        assert yaml.safe_load((sweep / job / "config.yaml").read_text())["model"]["bilinear"] is bilinear
        keys = torch.load(sweep / job / "checkpoints/best.ckpt", weights_only=True)["state_dict"]
        assert ("network.up1.up.weight" in keys) is not bilinear
        with (sweep / job / "metrics.csv").open() as file:
            assert len(list(csv.DictReader(file))) == 2
        assert f"model.bilinear={bilinear}" in state(sweep / job)["overrides"]


def test_cost_and_best_figure_are_noted(half):
    found = state(half[0] / "outputs/train/first/0")
    assert found["monitor"] == "val/dice_per_image"
    assert 0 <= found["value"] <= 1
    assert found["epoch"] in (0, 1)
    assert found["seconds"] > 0
    assert 100 < found["peak_memory_mb"] < 10_000


def test_each_job_is_measured_on_the_validation_images(half):
    metrics = json.loads((half[0] / "outputs/train/first/0/evaluation/drive-val/metrics.json").read_text())
    assert metrics["protocol"]["leak_reasons"] == {"epoch": ["25", "30", "35", "40"]}
    assert metrics["figures"]["model"]["mean"]["dice"] == pytest.approx(
        state(half[0] / "outputs/train/first/0")["value"]
    )


def test_resume_runs_what_failed_and_leaves_what_is_done(half, program, tmp_path):
    shutil.copytree(half[0], tmp_path, dirs_exist_ok=True, symlinks=True)
    sweep = tmp_path / "outputs/train/first"
    before = (sweep / "0/checkpoints/last.ckpt").stat().st_mtime_ns
    torch.save({"model": UNet(base_c=2).state_dict()}, tmp_path / "w.pth")  # of the bilinear network alone
    done = program("train", "resume=outputs/train/first", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert [state(sweep / job)["state"] for job in "0123"] == ["done", "done", "done", "failed"]
    assert (sweep / "0/checkpoints/last.ckpt").stat().st_mtime_ns == before
    assert not (sweep / "1/error.txt").exists()
    assert "2 of 4 jobs are done already" in done.stdout
    assert state(sweep / "0")["attempts"] == 1
    assert "another network" in state(sweep / "3")["error"] or "error: job 3" in done.stderr


def test_a_stopped_job_that_cannot_go_on_is_a_failed_one(half, program, tmp_path):
    shutil.copytree(half[0], tmp_path, dirs_exist_ok=True, symlinks=True)
    sweep = tmp_path / "outputs/train/first"
    for job in "123":
        shutil.copytree(sweep / "0", sweep / job, dirs_exist_ok=True)
    (sweep / "0/state.json").write_text(json.dumps(state(sweep / "0") | {"state": "stopped", "exit_code": 143}))
    (sweep / "0/checkpoints/last.ckpt").write_bytes(b"half")
    done = program("train", "resume=outputs/train/first", cwd=tmp_path)
    assert done.returncode >= 1
    assert state(sweep / "0")["state"] == "failed"
    assert "last.ckpt is broken" in state(sweep / "0")["error"]


def test_a_sweep_that_was_killed_ends_with_the_weights_of_one_that_was_not(program, forks, tiny_drive, tmp_path):
    settings = [*TINY_RUN, "trainer.max_epochs=8", "deterministic=true", "callbacks=ema", QUIET, "seed=0,1"]
    env = without_trackers() | {"DRIVE_ROOT": str(tiny_drive)}
    process = forks.start("unet_lightning.train", ["-m", *settings, "hydra.sweep.dir=killed"], tmp_path, env)
    while not (tmp_path / "killed/0/checkpoints/last.ckpt").exists():
        assert process.poll(0.02) is None
    process.kill()
    assert process.poll(60) == -signal.SIGKILL
    assert state(tmp_path / "killed/0")["state"] == "running"
    assert program("train", "resume=killed", cwd=tmp_path).returncode == 0
    assert program("train", "-m", *settings, "hydra.sweep.dir=whole", cwd=tmp_path).returncode == 0
    assert state(tmp_path / "killed/0")["attempts"] == 2
    for job in "01":
        first, second = (
            torch.load(tmp_path / sweep / job / "checkpoints/last.ckpt", weights_only=True)
            for sweep in ("killed", "whole")
        )
        for part in ("state_dict", "averaging_state", "optimizer_states", "lr_schedulers"):
            ours, others = (tree_flatten(checkpoint[part])[0] for checkpoint in (first, second))
            assert len(ours) == len(others) > 0
            tensors = [isinstance(value, torch.Tensor) for value in ours]
            pairs = zip(ours, others, tensors, strict=True)
            assert all(torch.equal(a, b) if tensor else a == b for a, b, tensor in pairs), part
        rows = []
        for sweep in ("killed", "whole"):
            with (tmp_path / sweep / job / "metrics.csv").open() as file:
                rows.append([{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)])
        assert rows[0] == rows[1]


def test_in_a_sweep_every_process_trains_the_configuration_of_its_job(program, tmp_path):
    settings = [*TINY_RUN[1:], "trainer=ddp_cpu", "data.batch_size=2", "trainer.max_epochs=1", "score=false", QUIET]
    choices = ["model.bilinear=true,false", "hydra.sweep.dir=sweep"]
    # Ranks with networks of different shapes could not average their gradients.
    done = program("train", "-m", *settings, *choices, cwd=tmp_path, OMP_NUM_THREADS="1")
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sweep"]
    assert done.stdout.count("2 ranks, all with configuration ") == 2
    for job, bilinear in (("0", True), ("1", False)):
        assert sorted(path.name for path in (tmp_path / "sweep" / job).glob("*.log")) == ["train.log"]
        assert yaml.safe_load((tmp_path / "sweep" / job / "config.yaml").read_text())["model"]["bilinear"] is bilinear
        (row,) = csv.DictReader((tmp_path / "sweep" / job / "metrics.csv").read_text().splitlines())
        assert row["step"] == "4"  # 16 images, 2 processes of 2
    assert done.stdout.count("parameters on drive") == done.stdout.count("Run folder:") == 2


def test_a_sweep_of_names_stays_in_one_folder(program, tmp_path):
    done = program("train", "-m", *TINY_RUN, "trainer.max_epochs=1", "name=first,second", QUIET, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "2 jobs: 2 done" in done.stdout
    (sweep,) = (tmp_path / "outputs/train").glob("2*")
    assert [state(sweep / job)["state"] for job in "01"] == ["done", "done"]
    assert [path.name for path in (tmp_path / "outputs").iterdir()] == ["train"]


def test_another_sweep_does_not_touch_a_folder(half, in_process, tmp_path):
    sweep = shutil.copytree(half[0] / "outputs/train/first", tmp_path / "first")
    before = {path: path.read_bytes() for path in sweep.rglob("*.*") if path.is_file()}
    message = in_process("train", "-m", *TINY_RUN, "seed=5,6", f"hydra.sweep.dir={sweep}")
    assert "holds another sweep" in message
    assert {path: path.read_bytes() for path in sweep.rglob("*.*") if path.is_file()} == before


def test_a_job_that_is_refused_leaves_the_run_of_its_folder_as_it_is(program, tiny_run, tmp_path):
    run = shutil.copytree(tiny_run, tmp_path / "sweep/0")
    before = (run / "state.json").read_bytes()
    done = program("train", "-m", *TINY_RUN, "seed=5", "hydra.sweep.dir=sweep", QUIET, cwd=tmp_path)
    assert done.returncode == 1
    assert "holds a run of another configuration" in done.stderr
    assert (run / "state.json").read_bytes() == before
    assert not (run / "error.txt").exists()


def test_a_folder_goes_on_with_the_same_configuration_alone(in_process, tiny_run, tmp_path):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    here = f"hydra.run.dir={run}"
    assert "another configuration: seed is 0 there, 3 here" in in_process(
        "train", *TINY_RUN, here, "resume=auto", "seed=3"
    )
    assert (run / "metrics.csv").read_text() == (tiny_run / "metrics.csv").read_text()


def test_auto_leaves_a_run_that_is_done(program, tiny_run, tmp_path):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    done = program("train", *TINY_RUN, "hydra.run.dir=run", "resume=auto", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "is done already" in done.stdout
    assert state(run)["attempts"] == 1


@pytest.mark.parametrize("choice", ["hydra/launcher=joblib", "sweep=optuna", "sweep.n_trials=3"])
def test_what_is_for_a_sweep_needs_one(in_process, choice):
    assert f"{choice} is for the jobs of a sweep: add -m" in in_process("train", *TINY_RUN, choice)


def test_how_to_search_is_for_a_search(in_process, tmp_path):
    assert "sweep.n_trials=3 is for a search: add sweep=optuna" in in_process(
        "train", "-m", "seed=1,2", "sweep.n_trials=3"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_sweep_goes_on_with_its_own_values(half, in_process):
    sweep = half[0] / "outputs/train/first"
    assert "found seed=3" in in_process("train", f"resume={sweep}", "seed=3")
    assert "leave -m out" in in_process("train", "-m", f"resume={sweep}/0", "seed=3")


def test_a_sweep_goes_on_elsewhere_on_another_launcher(half, program, tmp_path):
    shutil.copytree(half[0] / "outputs/train/first", tmp_path / "moved")
    shutil.rmtree(tmp_path / "moved/0")
    settings = ["hydra/launcher=submitit_local", "hydra.launcher.n_jobs=3"]
    done = program("train", "resume=moved", *settings, cwd=tmp_path, OMP_NUM_THREADS="1")
    assert done.returncode == 2, done.stderr
    assert [state(tmp_path / "moved" / job)["state"] for job in "0123"] == ["done", "failed", "done", "failed"]
    assert "1 of 4 jobs are done already" in done.stdout
    assert not (tmp_path / "outputs").exists() and not list((tmp_path / "moved").glob("*.log"))


def test_a_strangers_sweep_is_not_gone_on_with_but_its_jobs_can_be_repeated(half, in_process, program, tmp_path):
    sweep = shutil.copytree(half[0] / "outputs/train/first", tmp_path / "first")
    with (sweep / "sweep.yaml").open("a") as file:
        file.write("# mine\n")
    message = in_process("train", f"resume={sweep}")
    assert "begun by somebody else" in message and "rerun=first/0" in message
    done = program("train", f"rerun={sweep}/0", "trainer.max_epochs=1", "hydra.run.dir=again", QUIET, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_configs_of_ones_own_are_found_again(program, tmp_path):
    (tmp_path / "mine/experiment").mkdir(parents=True)
    (tmp_path / "mine/experiment/tiny.yaml").write_text("# @package _global_\nname: tiny\ntrainer: {max_epochs: 1}\n")
    given = [*TINY_RUN[:4], "score=false", "experiment=tiny", QUIET, "hydra.sweep.dir=sweep"]
    done = program("train", "--config-dir", "mine", "-m", *given, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    shutil.rmtree(tmp_path / "sweep/0")
    done = program("train", "resume=sweep", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert yaml.safe_load((tmp_path / "sweep/0/config.yaml").read_text())["name"] == "tiny"


@pytest.mark.parametrize("subdir", ["${hydra.job.override_dirname}", "${hydra.job.num}_of_${seed}", "same"])
def test_a_folder_of_a_job_may_have_another_name(program, tmp_path, subdir):
    settings = [*TINY_RUN, "trainer.max_epochs=1", "seed=0,-1", "hydra.sweep.dir=sweep", QUIET]
    exclude = "hydra.job.config.override_dirname.exclude_keys=[trainer,trainer.max_epochs,score,model.base_c,"
    exclude += "data.repeats,data.augment.crop,trainer.enable_progress_bar]"
    done = program("train", "-m", *settings, f"hydra.sweep.subdir='{subdir}'", exclude, cwd=tmp_path)
    if subdir == "same":
        assert "gives several jobs the folder same" in done.stderr and not (tmp_path / "sweep").exists()
        return
    names = ("0_of_0", "1_of_-1") if "num" in subdir else ("seed=0", "seed=-1")
    assert done.returncode == 1, done.stderr  # a seed is no negative number
    assert [state(tmp_path / "sweep" / name)["state"] for name in names] == ["done", "failed"]
    assert "2 jobs: 1 done, 1 failed" in done.stdout
    again = program("train", "resume=sweep", cwd=tmp_path)
    assert again.returncode == 1, again.stderr
    assert "1 of 2 jobs are done already" in again.stdout
    assert sorted(path.name for path in (tmp_path / "sweep").iterdir() if path.is_dir()) == sorted(names)


@pytest.mark.parametrize("several", [True, False], ids=["sweep", "run"])
def test_what_begins_in_the_second_of_another_has_a_folder_of_its_own(program, tmp_path, several):
    now = datetime.datetime.now()
    for second in range(120):
        taken = now + datetime.timedelta(seconds=second)
        (tmp_path / f"outputs/train/{taken:%Y-%m-%d_%H-%M-%S}").mkdir(parents=True)
    given = ["-m", "seed=0"] if several else ["seed=0"]
    done = program("train", *TINY_RUN, "trainer.max_epochs=1", *given, QUIET, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = [folder for folder in (tmp_path / "outputs/train").iterdir() if any(folder.iterdir())]
    latest = (tmp_path / "outputs/train/latest").resolve()
    assert {folder.resolve() for folder in found} == {latest} and latest.name.endswith("_2")
    assert len(list((tmp_path / "outputs/train").iterdir())) == 122


def test_a_search_and_a_sweep_of_given_values_do_not_share_a_folder(half, in_process):
    sweep = half[0] / "outputs/train/first"
    message = in_process("train", "-m", *TINY_RUN, "seed=1,2", "hydra/sweeper=optuna", f"hydra.sweep.dir={sweep}")
    assert f"{sweep} holds a sweep of given values" in message


@pytest.mark.parametrize(
    "launcher",
    [
        {"TORCHELASTIC_RUN_ID": "a", "WORLD_SIZE": "2", "RANK": "0"},
        {"SLURM_PROCID": "0", "SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "2"},
    ],
)
def test_ranks_that_somebody_else_starts_need_one_folder(in_process, monkeypatch, launcher):
    for name, value in launcher.items():
        monkeypatch.setenv(name, value)
    assert "give hydra.run.dir=" in in_process("train", *TINY_RUN)
    assert "A sweep starts its own ranks" in in_process("train", "-m", "seed=1,2")


def test_a_sweep_that_does_not_compose_leaves_nothing(in_process, tmp_path):
    assert "Near: optimizer.lr" in in_process("train", "-m", "optimizr.lr=1,2")
    assert list(tmp_path.iterdir()) == []


def test_a_sweep_goes_on_from_the_folder_it_was_begun_in(program, tiny_drive, tmp_path):
    (tmp_path / "here").mkdir()
    (tmp_path / "here/data_here").symlink_to(tiny_drive)
    settings = [*TINY_RUN, "trainer.max_epochs=1", "data.root=data_here", "seed=0", "hydra.sweep.dir=sweep", QUIET]
    assert program("train", "-m", *settings, cwd=tmp_path / "here").returncode == 0
    shutil.rmtree(tmp_path / "here/sweep/0")
    done = program("train", "resume=here/sweep", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert state(tmp_path / "here/sweep/0")["state"] == "done"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["-m", "seed=0,1", "hydra/launcher=submitit_local", "hydra.launcher.n_jobs=0"],
            "n_jobs must be a whole number",
        ),
        (["-m", "--cfg", "job"], "leave -m out"),
        (["trainer.max_epochs=many"], "trainer.max_epochs must be a whole number from 1, found many"),
        (["trainer.max_epochs=0"], "trainer.max_epochs must be a whole number from 1, found 0"),
    ],
)
def test_what_cannot_go_together_is_one_line(in_process, tmp_path, arguments, message):
    assert message in in_process("train", *TINY_RUN, *arguments)
    assert not list(tmp_path.rglob("*.yaml"))


def test_rerun_is_of_one_run(in_process, tiny_run):
    assert "leave -m out" in in_process("train", "-m", f"rerun={tiny_run}", "seed=1,2")


def test_a_checkpoint_of_another_network_is_named(in_process, tiny_run, tmp_path):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    (run / "config.yaml").write_text((run / "config.yaml").read_text().replace("base_c: 2", "base_c: 3"))
    assert "is of another model" in in_process("train", f"resume={run}")


def test_a_broken_state_of_a_job_does_not_end_the_sweep(half, program, tmp_path):
    sweep = shutil.copytree(half[0] / "outputs/train/first", tmp_path / "first")
    (sweep / "0/state.json").write_text("{")
    done = program("train", f"resume={sweep}", cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    assert "job 0: " in done.stderr
    assert state(sweep / "2")["state"] == "done"
