"""Parts of Hydra that are ours: which launchers and sweepers there are, and whether a sweep can begin with them.

Hydra takes the names of plugins from below hydra_plugins alone, which is a package of others; registered by hand, a
class may live here.
"""

import shutil
import subprocess

from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from omegaconf import DictConfig

from unet_lightning.errors import ConfigError

SUBMITIT = "hydra_plugins.hydra_submitit_launcher.submitit_launcher.SlurmLauncher"
JOBLIB = "hydra_plugins.hydra_joblib_launcher.joblib_launcher.JoblibLauncher"
LOCAL = "hydra_plugins.unet_lightning.LocalLauncher"
SLURM = "hydra_plugins.unet_lightning.SlurmLauncher"
NAMES = {JOBLIB: "joblib", LOCAL: "submitit_local", SLURM: "submitit_slurm"}  # as they are chosen
# What a launcher asks for once, for all jobs of a sweep.
RESOURCES = ("trainer", "trainer.devices", "trainer.num_nodes", "trainer.accelerator")
PATIENCE = 15  # seconds that Slurm has to answer


def register() -> None:
    """Tells Hydra of them, before it reads the configuration."""
    from unet_lightning.sweeps.sweeper import OptunaSweeper, RecordedSweeper  # which check their launchers by this file

    plugins, stored = Plugins.instance().class_name_to_class, ConfigStore.instance().repo.get("hydra", {})
    for group, names in (("launcher", NAMES.values()), ("sweeper", ("optuna",))):
        for name in names:  # Hydra would hold our files against those of the packages, which have other fields
            stored.get(group, {}).pop(f"{name}.yaml", None)
    for kind in (RecordedSweeper, OptunaSweeper):
        plugins[f"hydra_plugins.unet_lightning.{kind.__name__}"] = kind
    if SUBMITIT in plugins:  # its package is installed
        from unet_lightning.sweeps.launchers import LocalLauncher, SlurmLauncher

        plugins |= {LOCAL: LocalLauncher, SLURM: SlurmLauncher}


def check_launcher(config: DictConfig) -> None:
    """Raises ConfigError where the launcher of a sweep lacks a package or Slurm, or cannot give the devices."""
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
    swept = config.hydra.sweeper.get("params") or {}  # of a config
    words = [*config.hydra.overrides.task, *(f"{key}={value}" for key, value in swept.items())]
    for override in OverridesParser.create().parse_overrides(words):
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
