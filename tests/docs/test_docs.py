"""The commands of docs/ run as they stand there: on drawn photographs, shortened to seconds."""

import os
import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from slurm_cluster import DOCS, script_of, slurm  # noqa: F401  slurm is a fixture

from unet_lightning.program import CONF

PAGES = sorted(path.name for path in DOCS.glob("*.md"))
TRAIN = "python -m unet_lightning.train"
# What makes a command short, where it does not say so itself.
TINY = {
    "trainer": "cpu",
    "model.base_c": "2",
    "data.repeats": "1",
    "data.augment.crop": "32",
    "trainer.max_epochs": "1",
    "trainer.check_val_every_n_epoch": "1",
}
SLURM = re.compile(r"submitit_slurm|sbatch|srun|scontrol|squeue|scancel")


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", (DOCS / page).read_text(), re.M | re.S)


def shortened(line):
    """A command with what makes it short."""
    if "unet_lightning.train" not in line:
        return line
    line = re.sub(r"sweep\.n_jobs=\d+", "sweep.n_jobs=2", re.sub(r"sweep\.n_trials=\d+", "sweep.n_trials=3", line))
    if "resume=outputs" in line:
        return line
    command, behind = (line[:-1].rstrip(), " &") if line.endswith("&") else (line, "")
    given = {word.partition("=")[0] for word in shlex.split(command)}
    tiny = TINY | ({"sweep.n_trials": "2"} if "sweep=optuna" in line else {})
    tiny |= {"data.dataset.size": "[48,46]"} if "data=synthetic" in line else {}
    return " ".join([command, *(f"{key}={value}" for key, value in tiny.items() if key not in given)]) + behind


def free_port():
    with socket.socket() as one:
        one.bind(("localhost", 0))
        return one.getsockname()[1]


def in_a_shell(text, folder, tiny_drive):
    """One block."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("WANDB", "SLURM"))}
    path = os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]])
    environment |= {"PATH": path, "DRIVE_ROOT": str(tiny_drive), "WANDB_MODE": "offline", "OMP_NUM_THREADS": "1"}
    text = text.replace("localhost:29400", f"localhost:{free_port()}")
    done = subprocess.run(
        ["bash", "-ec", f"{text}\nwait"],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, f"{text}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"


def words_of(text):
    """The arguments of each line of a block that takes no shell, as all of it are programs of ours; else nothing."""
    lines = [shlex.split(line, comments=True) for line in text.splitlines()]
    ours = all(words[:2] == ["python", "-m"] and words[2].startswith("unet_lightning.") for words in lines)
    shell = any(set("&|;<>*~$") & set(word) for words in lines for word in words)
    return [words[2:] for words in lines] if ours and not shell else []


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_run_in_their_order(page, program, tiny_drive, tmp_path):
    for block in blocks(page, "sh"):
        if SLURM.search(block):
            continue
        text = "\n".join(map(shortened, block.splitlines()))
        if not words_of(text):
            in_a_shell(text, tmp_path, tiny_drive)
        for module, *arguments in words_of(text):
            name = module.removeprefix("unet_lightning.")
            done = program(name, *arguments, cwd=tmp_path, timeout=600, WANDB_MODE="offline", OMP_NUM_THREADS="1")
            assert done.returncode == 0, f"{text}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"


@pytest.mark.slurm
@pytest.mark.usefixtures("slurm")
@pytest.mark.parametrize("page", [page for page in PAGES if any(map(SLURM.search, blocks(page, "sh")))])
def test_the_commands_of_a_page_run_on_slurm(page, tiny_drive, tmp_path):
    # This Slurm has no GPUs and few cores; sbatch is waited for.
    if blocks(page, "bash"):
        (tmp_path / "train.sh").write_text(script_of(page).replace("#SBATCH --gpus-per-node=2\n", ""))
    for block in filter(SLURM.search, blocks(page, "sh")):
        text = block.replace("trainer=gpu", "trainer=cpu hydra.launcher.cpus_per_task=1")
        text = text.replace("model.base_c=16,32 seed=0,1", "model.base_c=2,3")
        text = text.replace("trainer=ddp", "trainer=ddp_cpu").replace("sbatch ", "sbatch --wait --cpus-per-task=1 ")
        text = text.replace("train.sh", f"train.sh {shortened(TRAIN + ' trainer=cpu').partition('trainer=cpu')[2]}")
        in_a_shell("\n".join(map(shortened, text.splitlines())), tmp_path, tiny_drive)


@pytest.mark.parametrize("page", PAGES)
def test_commands_for_other_machines_compose(page):
    # What needs a GPU or an account is in console blocks.
    lines = [line for block in blocks(page, "console") for line in block.splitlines() if TRAIN in line]
    with initialize_config_dir(CONF, version_base="1.3"):
        for line in lines:
            words = shlex.split(line, comments=True)
            words = words[words.index("unet_lightning.train") + 1 :]
            compose("train", [word for word in words if "=" in word and not word.startswith(("resume=", "--"))])
