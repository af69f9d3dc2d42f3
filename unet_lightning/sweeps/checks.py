"""Whether a sweep can begin where it is sent: one error before any work."""

import shutil
import subprocess

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from omegaconf import DictConfig

from unet_lightning.errors import ConfigError

JOBLIB = "hydra_plugins.hydra_joblib_launcher.joblib_launcher.JoblibLauncher"
LOCAL = "hydra_plugins.unet_lightning.LocalLauncher"
SLURM = "hydra_plugins.unet_lightning.SlurmLauncher"
NAMES = {JOBLIB: "joblib", LOCAL: "submitit_local", SLURM: "submitit_slurm"}  # as they are chosen
# What a launcher asks for once, for all jobs of a sweep.
RESOURCES = ("trainer", "trainer.devices", "trainer.num_nodes", "trainer.accelerator")
PATIENCE = 15  # seconds that Slurm has to answer


def check_launcher(config: DictConfig) -> None:
    """Called at the beginning of a sweep, with its config and the `hydra` node.

    Raises:
        ConfigError: a package is missing, Slurm is not there or does not answer, or the jobs ask for devices that the
            launcher cannot give.
    """
    launcher = config.hydra.launcher._target_
    if launcher not in NAMES:
        return
    name = f"hydra/launcher={NAMES[launcher]}"
    if launcher not in Plugins.instance().class_name_to_class:
        raise ConfigError(f"{name} needs a package: pip install 'unet-lightning[cluster]'.")
    jobs = config.hydra.launcher.get("n_jobs", 1)
    if not isinstance(jobs, int) or jobs == 0 or (jobs < 0 and launcher == LOCAL):
        more = ", or -1 for as many as there are cores" if launcher == JOBLIB else ""
        raise ConfigError(f"hydra.launcher.n_jobs must be a whole number from 1{more}, found {jobs}.")
    for override in OverridesParser.create().parse_overrides(list(config.hydra.overrides.task)):
        if override.is_sweep_override() and override.get_key_element() in RESOURCES:
            raise ConfigError(
                f"{name} asks for the same devices for all jobs of a sweep, found {override.input_line}: begin one "
                "sweep for each."
            )
    devices, nodes = config.trainer.devices, config.trainer.num_nodes
    if launcher == SLURM:
        for field, value in (("devices", devices), ("num_nodes", nodes)):
            if not isinstance(value, int) or value < 1:
                raise ConfigError(
                    f"{name} asks Slurm for trainer.{field} devices, found trainer.{field}={value}: give their number, "
                    f"such as trainer.{field}=2."
                )
        check_slurm(name)
    elif devices not in (1, "1", [0]) or nodes != 1:
        raise ConfigError(
            f"{name} runs several jobs side by side, each on one device, found trainer.devices={devices} and "
            f"trainer.num_nodes={nodes}. Take trainer.devices=1, or leave {name} out: jobs of several devices then run "
            "one after the other."
        )


def check_slurm(name: str) -> None:
    """Raises ConfigError where there is no Slurm to send jobs to; `name` is what asks for it."""
    if missing := [command for command in ("sbatch", "srun", "squeue", "sinfo") if shutil.which(command) is None]:
        raise ConfigError(
            f"{name} needs Slurm, and there is no {missing[0]} here. Begin the sweep on a login node of the cluster; "
            "on one machine, hydra/launcher=submitit_local runs jobs side by side."
        )
    try:
        answer = subprocess.run(["sinfo", "--noheader"], capture_output=True, text=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired as error:
        raise ConfigError(f"{name}: Slurm did not answer sinfo within {PATIENCE} seconds. Try again later.") from error
    if answer.returncode:
        said = " ".join(answer.stderr.split()) or f"exit code {answer.returncode}"
        raise ConfigError(f"{name}: Slurm does not answer: sinfo says '{said}'. Is this a login node of the cluster?")
