"""Parts of Hydra that are ours: how a sweep comes to its jobs, and where they run.

Hydra takes the names of plugins from below hydra_plugins alone, which is a package of others; registered by hand, a
class may live here. Optuna is imported when a search begins.
"""

import importlib.util
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper

from unet_lightning.errors import ConfigError
from unet_lightning.sweeps.checks import LOCAL, NAMES, SLURM
from unet_lightning.sweeps.sweeper import RecordedSweeper

SUBMITIT = "hydra_plugins.hydra_submitit_launcher.submitit_launcher.SlurmLauncher"


class OptunaSweeper(Sweeper):
    """`sweep=optuna`: the jobs of the sweep are the trials of a search."""

    def setup(self, **given: Any) -> None:
        """Keeps what a search needs: `config`, `hydra_context` and `task_function`."""
        self.setup_arguments = given

    def sweep(self, arguments: list[str]) -> None:
        """Searches; ConfigError where a package is missing."""
        for package in ("optuna", "plotly"):
            if importlib.util.find_spec(package) is None:
                raise ConfigError(f"sweep=optuna needs {package}: pip install 'unet-lightning[search]'.")
        from unet_lightning.sweeps.search.sweeper import sweep

        sweep(arguments=arguments, **self.setup_arguments)


def register() -> None:
    """Tells Hydra of them, before it reads the configuration."""
    plugins, stored = Plugins.instance().class_name_to_class, ConfigStore.instance().repo.get("hydra", {})
    for group, names in (("launcher", NAMES.values()), ("sweeper", ("optuna",))):
        for name in names:  # Hydra would hold our files against those of the packages, which have other fields
            stored.get(group, {}).pop(f"{name}.yaml", None)
    for kind in (RecordedSweeper, OptunaSweeper):
        plugins[f"hydra_plugins.unet_lightning.{kind.__name__}"] = kind
    if SUBMITIT in plugins:  # its package is installed
        from unet_lightning.sweeps.launchers import LocalLauncher, SlurmLauncher

        plugins |= {LOCAL: LocalLauncher, SLURM: SlurmLauncher}
