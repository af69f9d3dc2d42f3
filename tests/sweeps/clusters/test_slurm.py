"""On a real Slurm: sweeps, jobs of several tasks, and jobs that are stopped in the middle."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml
from conftest import TINY_RUN
from lost_ranks import left_behind, losing
from pages import DOCS, SLURM, TRAIN, blocks, in_a_shell, shortened
from slurm_cluster import ask, script_of, slurm, start_now, wait_for  # noqa: F401  slurm is a fixture

pytestmark = [pytest.mark.slurm, pytest.mark.usefixtures("slurm")]

ON_SLURM = ("hydra/launcher=submitit_slurm", "hydra.launcher.cpus_per_task=1", "hydra.sweep.dir=sweep")
# Two ranks, long enough to be stopped in the middle, with the same bits each time.
LONG = (
    "trainer=ddp_cpu",
    *TINY_RUN[1:4],
    "data.repeats=16",
    "data.batch_size=2",
    "trainer.max_epochs=8",
    "score=false",
)
LONG += ("scheduler=none", "trainer.deterministic=true")
OFFLINE = ("logger=wandb", "logger.wandb.mode=offline")


def state(folder):
    path = folder / "state.json"
    return json.loads(path.read_text()) if path.is_file() else {"state": None, "attempts": 0}


def epochs(folder):
    path = folder / "metrics.csv"
    return max(len(path.read_text().splitlines()) - 1, 0) if path.is_file() else 0


def in_the_middle(folder, attempt):
    """Whether this attempt has come further than the one before."""
    now = state(folder)
    return now["state"] == "running" and now["attempts"] == attempt and epochs(folder) >= attempt


def weights(folder):
    return torch.load(folder / "checkpoints/last.ckpt", weights_only=True)["state_dict"]


def assert_same_weights(first, second):
    one, other = weights(first), weights(second)
    assert one.keys() == other.keys()
    assert [name for name in one if not torch.equal(one[name], other[name])] == []


def environment(tiny_drive):
    """For a process that does not end before the test looks at it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("WANDB", "SLURM"))}
    path = os.pathsep.join([str(Path(sys.executable).parent), kept["PATH"]])
    return kept | {"DRIVE_ROOT": str(tiny_drive), "OMP_NUM_THREADS": "1", "PATH": path}


def slurm_blocks(page):
    return list(filter(SLURM.search, blocks(page, "sh")))


def write_script(folder):
    """The script of the documentation; this Slurm has no GPUs."""
    (folder / "train.sh").write_text(script_of("clusters.md").replace("#SBATCH --gpus-per-node=2\n", ""))


def shown(job):
    """What Slurm says of a job."""
    return dict(field.partition("=")[::2] for field in ask("scontrol", "-o", "show", "job", job).split())


@pytest.fixture(scope="module")
def never_stopped(program, tmp_path_factory):
    """The run that the stopped ones must equal, started without Slurm."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    done = program("train", *LONG, f"hydra.run.dir={folder}", cwd=folder.parent)
    assert done.returncode == 0, done.stderr
    return folder


def test_a_sweep_of_four_jobs_is_one_array(program, tmp_path):
    limits = ("hydra.launcher.timeout_min=30", "hydra.launcher.array_parallelism=2")
    settings = (*ON_SLURM, *limits, *TINY_RUN, "trainer.max_epochs=1", "score=false", "seed=0,1,2,3")
    done = program("train", "-m", *settings, cwd=tmp_path, timeout=300)
    assert done.returncode == 0, done.stderr
    for seed in range(4):
        folder = tmp_path / "sweep" / str(seed)
        assert state(folder)["state"] == "done"
        assert yaml.safe_load((folder / "config.yaml").read_text())["seed"] == seed
    array = re.search(r"Slurm job (\d+): 4 in the queue", done.stdout)[1]
    job = shown(f"{array}_3")
    assert (job["TimeLimit"], job["Requeue"], job["ArrayTaskThrottle"]) == ("00:30:00", "1", "2")


def test_in_a_sweep_a_job_told_to_go_ends_as_if_never_stopped_and_lost_ones_are_failed_ones(
    tiny_drive, never_stopped, tmp_path
):
    command = [sys.executable, "-m", "unet_lightning.train", "-m", *ON_SLURM, *LONG]
    settings, variables = losing(1, "hang", tmp_path)
    first, second = tmp_path / "sweep/0", tmp_path / "sweep/1"
    with (tmp_path / "log").open("w") as log:
        given = {"cwd": tmp_path, "env": environment(tiny_drive) | variables, "stdout": log, "stderr": log}
        sweep = subprocess.Popen([*command, "seed=0,1"], **given)
        wait_for(lambda: "Slurm job" in (tmp_path / "log").read_text(), process=sweep)
        other = subprocess.Popen([*command, *settings, "loss.rank=0,1", "hydra.sweep.dir=other"], **given)
    try:
        wait_for(lambda: in_the_middle(first, 1), process=sweep)
        array = re.search(r"Slurm job (\d+): 2 in the queue", (tmp_path / "log").read_text())[1]
        ask("scancel", "--signal=USR2", f"{array}_0")
        start_now(f"{array}_0")
        wait_for(lambda: in_the_middle(second, 1), process=sweep)
        ask("scancel", f"{array}_1")
        for process, failed in ((sweep, 1), (other, 2)):
            assert process.wait(timeout=300) == failed, (tmp_path / "log").read_text()
    finally:
        for process in (sweep, other):
            process.kill()
            process.wait()
        for array in re.findall(r"Slurm job (\d+):", (tmp_path / "log").read_text()):
            ask("scancel", array, check=False)
    assert (state(first)["state"], state(first)["attempts"]) == ("done", 2)
    assert_same_weights(first, never_stopped)
    assert state(second)["state"] == "failed"
    assert "Slurm: CANCELLED" in state(second)["error"]
    for rank in (0, 1):
        lost = state(tmp_path / f"other/{rank}")
        assert lost["state"] == "failed"
        assert "RuntimeError: this machine has lost its disk" in lost["error"]


def test_a_job_requeued_and_told_to_go_ends_as_if_never_stopped_in_one_wandb_run(tiny_drive, never_stopped, tmp_path):
    write_script(tmp_path)
    send = ["sbatch", "--parsable", "--cpus-per-task=1", "train.sh", *LONG, *OFFLINE]
    sent = subprocess.run(send, cwd=tmp_path, env=environment(tiny_drive), capture_output=True, text=True)
    assert sent.returncode == 0, sent.stderr
    job = sent.stdout.strip()
    folder = tmp_path / "outputs/train" / job
    try:
        wait_for(lambda: in_the_middle(folder, 1))
        ask("scontrol", "requeue", job)  # as by a job of higher priority
        start_now(job)
        wait_for(lambda: in_the_middle(folder, 2))
        ask("scancel", "--signal=USR2", job)  # as before the time limit
        start_now(job)
        wait_for(lambda: state(folder)["state"] == "done")
    finally:
        log = "\n".join(path.read_text() for path in tmp_path.glob("slurm-*.out"))
        print(log)
        ask("scancel", job, check=False)
    assert state(folder)["attempts"] == 3
    assert log.count("2 ranks, all with configuration") == 3  # each task of Slurm is a rank
    assert log.count("parameters on drive") == 3
    assert_same_weights(folder, never_stopped)
    runs = {path.name.rpartition("-")[2] for path in folder.glob("**/offline-run-*")}
    assert runs == {(folder / "wandb-id").read_text().strip()}
    assert [path.name for path in (tmp_path / "outputs/train").iterdir() if path.name != "latest"] == [job]


@pytest.mark.parametrize("how", ["begin", "hang"])
def test_a_task_that_is_lost_ends_its_job(tiny_drive, tmp_path, how):
    write_script(tmp_path)
    settings, variables = losing(1, how, tmp_path)
    send = ["sbatch", "--parsable", "--cpus-per-task=1", "train.sh", *LONG, *settings]
    sent = subprocess.run(send, cwd=tmp_path, env=environment(tiny_drive) | variables, capture_output=True, text=True)
    assert sent.returncode == 0, sent.stderr
    job = sent.stdout.strip()
    try:
        wait_for(lambda: shown(job)["JobState"] == "FAILED")
    finally:
        ask("scancel", job, check=False)
    assert time.time() - float((tmp_path / "note").read_text()) < 60
    assert left_behind(tmp_path) == []
    assert "this machine has lost its disk" in (tmp_path / f"slurm-{job}.out").read_text()


@pytest.mark.parametrize("page", [path.name for path in sorted(DOCS.glob("*.md")) if any(slurm_blocks(path.name))])
def test_the_commands_of_a_page_run_on_slurm(page, tiny_drive, tmp_path):
    # This Slurm has no GPUs and few cores; sbatch is waited for.
    if blocks(page, "bash"):
        write_script(tmp_path)
    for block in slurm_blocks(page):
        text = block.replace("trainer=gpu", "trainer=cpu hydra.launcher.cpus_per_task=1")
        text = text.replace("model.base_c=16,32 seed=0,1", "model.base_c=2,3")
        text = text.replace("trainer=ddp", "trainer=ddp_cpu").replace("sbatch ", "sbatch --wait --cpus-per-task=1 ")
        text = text.replace("train.sh", f"train.sh {shortened(TRAIN + ' trainer=cpu').partition('trainer=cpu')[2]}")
        in_a_shell("\n".join(map(shortened, text.splitlines())), tmp_path, tiny_drive)
