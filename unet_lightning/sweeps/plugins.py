"""Parts of Hydra that are ours: how a sweep searches, and where its jobs run.

Hydra takes the names of plugins from below hydra_plugins alone, which is a package of others; registered by hand, a
class may live here. Optuna is imported when a search begins.
"""

from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from unet_lightning.sweeps import clusters

OPTUNA = "hydra_plugins.unet_lightning.OptunaSweeper"


class OptunaSweeper(Sweeper):
    """`sweep=optuna`: the jobs of the sweep are the trials of a search."""

    def __init__(self) -> None:
        self.config: DictConfig | None = None
        self.hydra_context: HydraContext | None = None
        self.task_function: TaskFunction | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keeps what a search needs."""
        self.config, self.hydra_context, self.task_function = config, hydra_context, task_function

    def sweep(self, arguments: list[str]) -> None:
        """Searches.

        Raises:
            UserError: a package is missing, or the search is not as it must be.
        """
        from unet_lightning.program import require

        for package in ("optuna", "plotly"):
            require(package, "search", f"sweep=optuna needs {package}")
        from unet_lightning.sweeps.search.sweeper import sweep

        assert self.config is not None and self.hydra_context is not None and self.task_function is not None
        sweep(self.config, self.hydra_context, self.task_function, arguments)


def register() -> None:
    """Tells Hydra of them, before it reads the configuration."""
    clusters.register()
    Plugins.instance().class_name_to_class[OPTUNA] = OptunaSweeper
    # Hydra would hold our file against that of hydra-optuna-sweeper, where it is installed.
    ConfigStore.instance().repo.get("hydra", {}).get("sweeper", {}).pop("optuna.yaml", None)
