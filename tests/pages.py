"""The commands of docs/, shortened to seconds."""

import os
import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"
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
SHORTER = (
    ("model.base_c=4,8 seed=0,1", "model.base_c=2,4"),
    ("bilinear=true,false", "bilinear=false"),
    ("name=side seed=0,1", "name=side seed=0"),  # jobs in processes of their own
    ("name=workers seed=0,1", "name=workers seed=0"),
)
SLURM = re.compile(r"submitit_slurm|sbatch|srun|scontrol|squeue|scancel")


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", (DOCS / page).read_text(), re.M | re.S)


def shortened(line):
    """A command with what makes it short."""
    if "unet_lightning.train" not in line:
        return line
    for long, short in SHORTER:
        line = line.replace(long, short)
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
