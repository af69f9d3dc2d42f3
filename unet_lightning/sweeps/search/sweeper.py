"""What Hydra calls for `sweep=optuna`: from its command line to a search, and from trials to its launcher."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import optuna
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from unet_lightning.sweeps.search import summary
from unet_lightning.sweeps.search.loop import Search
from unet_lightning.sweeps.search.settings import Settings, read
from unet_lightning.sweeps.search.space import Space, parse, points
from unet_lightning.sweeps.search.storage import alone, readable_faults
from unet_lightning.sweeps.search.study import Target, open_study, target_of


def sweep(config: DictConfig, context: HydraContext, task_function: TaskFunction, arguments: list[str]) -> None:
    """Searches in the folder of a sweep.

    Args:
        config: that the sweep begins from, with its `hydra` node.
        context: of Hydra.
        task_function: the job.
        arguments: overrides of the command line.

    Raises:
        UserError: the space, a setting or the storage is wrong.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # Hydra and the loop say what happens
    folder = Path(config.hydra.sweep.dir).absolute()
    settings, space, target = understand(config, context, arguments)  # what is wrong comes up before the first trial
    with read_write(config), open_dict(config):  # a trial is the job of its number
        config.hydra.sweep.subdir = "${hydra.job.num}"
        config.hydra.overrides.hydra += ["hydra.sweep.subdir=${hydra.job.num}"]
    launcher = Plugins.instance().instantiate_launcher(
        hydra_context=context, task_function=task_function, config=config
    )

    def launch(jobs: Sequence[Sequence[str]], first: int) -> Sequence[JobReturn]:
        return launcher.launch(jobs, initial_job_idx=first)

    def after_batch(study: optuna.Study) -> None:
        summary.write_page(study, space, target.monitor, folder)

    folder.mkdir(parents=True, exist_ok=True)
    with alone(folder), readable_faults(folder):
        study = open_study(settings, space, target, folder)
        Search(study, space, settings, folder, launch, after_batch).run()
        summary.say(study, space, target.monitor)


def understand(config: DictConfig, context: HydraContext, arguments: list[str]) -> tuple[Settings, Space, Target]:
    """How and what to search, composed for every choice so that a wrong one is found now.

    Raises:
        UserError: a setting or a space is wrong.
        HydraException: a trial does not compose.
    """
    section: Any = OmegaConf.to_container(config.sweep, resolve=True)
    callbacks: Any = OmegaConf.to_container(config.callbacks, resolve=False)
    settings = read(section)
    space = parse(arguments, settings.params, context.config_loader)
    for point in points(space):
        context.config_loader.load_sweep_config(config, space.overrides(point))
    return settings, space, target_of(callbacks)
