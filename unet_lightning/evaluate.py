"""Measures runs: `python -m unet_lightning.evaluate run=outputs/quick/latest`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig

from unet_lightning.errors import ConfigError
from unet_lightning.program import CONF, one_line_errors, plain

if TYPE_CHECKING:
    from unet_lightning.results.maps import Source
    from unet_lightning.results.scores import Evaluation

# What says how a network is used.
OF_NETWORKS = ("checkpoint", "tta", "scale", "tile", "blend", "device")
CHOICES = {
    "split": (None, "val", "test", "all"),
    "checkpoint": (None, "best", "last"),
    "tta": ("none", "flips", "d4"),
    "blend": ("crop", "gaussian"),
    "device": ("auto", "cpu", "cuda"),
    "report": (True, False),
}


@hydra.main(version_base="1.3", config_path=CONF, config_name="evaluate")
@one_line_errors
def main(cfg: DictConfig) -> None:
    """Predicts every image of a split, scores it, and writes and prints the table, for each run and data set named.

    Raises:
        UserError: shown as one line; the exit code is 1.
    """
    config = plain(cfg)
    data_sets = config.pop("data_sets", None)
    check(config)
    if data_sets == []:
        raise ConfigError("data names at least one data set, found an empty list.")
    if data_sets is not None and any(given.startswith("data.") for given in HydraConfig.get().overrides.task):
        raise ConfigError("data.<key> is of one data set: for several set DRIVE_ROOT, CHASE_DB1_ROOT and so on.")
    from unet_lightning.results.results import protocol_of, write_evaluation, write_matrix
    from unet_lightning.training.loggers import build_loggers, publish_evaluation

    build_loggers(config["logger"], Path())  # what is wrong with one comes up now

    done: dict[str, list[Evaluation]] = {}
    for folder in folders_of(config):
        # A checkpoint is opened anew for each data set: little time, and no state to keep in step.
        for data in [config["data"]] if data_sets is None else [section(name, folder) for name in data_sets]:
            source = open_source(config, folder, data)
            for evaluation in evaluations(config, source):
                folder_of_it = write_evaluation(evaluation, source, config["report"])
                protocol = protocol_of(evaluation, source)
                publish_evaluation(config["logger"], folder_of_it, evaluation, protocol, source.folder)
                done.setdefault(folder, []).append(evaluation)
    if data_sets is not None:
        write_matrix(done)


def check(config: dict[str, Any]) -> None:
    """Raises ConfigError for a value out of range."""
    for name, choices in CHOICES.items():
        if config[name] not in choices:
            said = ", ".join("null" if choice is None else str(choice).lower() for choice in choices)
            raise ConfigError(f"{name} must be one of {said}, found {config[name]}.")
    threshold = config["threshold"]
    number = isinstance(threshold, float | int) and not isinstance(threshold, bool) and 0 <= threshold <= 1
    if threshold not in (None, "val") and not number:
        raise ConfigError(f"threshold must be from 0 to 1, or val, found {threshold}.")
    if (config["run"] is None) == (config["predictions"] is None):
        raise ConfigError("Give run=<run folder>, or predictions=<folder of probability maps> data=<data set>.")
    if config["predictions"] is not None:
        if threshold == "val":
            raise ConfigError("threshold=val needs a run: maps from elsewhere have no validation images here.")
        networks_only = [name for name in OF_NETWORKS if f"{name}=" in " ".join(HydraConfig.get().overrides.task)]
        if networks_only:
            raise ConfigError(f"{', '.join(networks_only)}: of no effect on maps from elsewhere, leave it out.")
    if not folders_of(config):
        raise ConfigError("run and predictions name at least one folder, found an empty list.")


def folders_of(config: dict[str, Any]) -> list[str]:
    """The folders to measure."""
    given = config["run"] if config["predictions"] is None else config["predictions"]
    return [str(folder) for folder in (given if isinstance(given, list) else [given])]


def section(name: str, folder: str) -> dict[str, Any]:
    """The `data` section of one of several data sets: that of the run itself for the one that it was trained on."""
    from unet_lightning.training.folder import RunFolder

    overrides = [given for given in HydraConfig.get().overrides.task if not given.startswith("+data_sets=")]
    try:
        named = plain(hydra.compose("evaluate", [*overrides, f"data={name}"]).data)
    except HydraException as error:
        raise ConfigError(f"No data set {name}: {str(error).splitlines()[0]}") from error
    run = (RunFolder(Path(folder)).jobs() or [RunFolder(Path(folder))])[0]
    if run.config_file.is_file() and run.read_config()["data"]["dataset"] == named["dataset"]:
        return {}
    return named


def open_source(config: dict[str, Any], folder: str, data: dict[str, Any]) -> "Source":
    """What gives the maps of one folder on one data set."""
    from unet_lightning.results.foreign import FolderSource
    from unet_lightning.results.networks import NetworkSource, Passing

    # Where the run's own data is meant, null leaves a value as it was.
    given = data if "_target_" in data else {key: value for key, value in data.items() if value is not None}
    if config["predictions"] is not None:
        return FolderSource(Path(folder), given)
    passing = Passing(**{name: config[name] for name in ("device", "tile", "blend", "tta", "scale")})
    return NetworkSource(Path(folder), given, config["checkpoint"], passing)


def evaluations(config: dict[str, Any], source: "Source") -> "list[Evaluation]":
    """The figures of the splits of a source."""
    from unet_lightning.results.scores import evaluate_maps

    done = []
    for split in source.splits(config["split"]):
        maps = source.maps(split)
        done.append(evaluate_maps(maps, source.threshold(maps, config["threshold"])))
    return done


def data_set_arguments(arguments: list[str]) -> list[str]:
    """Turns `data=[drive,chase_db1]`, which Hydra would take for one data set put together, into a list of names."""
    prefix = "data=["
    return [
        f"+data_sets={argument.removeprefix('data=')}" if argument.startswith(prefix) else argument
        for argument in arguments
    ]


@one_line_errors
def cli() -> None:
    """The program: the command line, then Hydra."""
    sys.argv[1:] = data_set_arguments(sys.argv[1:])
    main()


if __name__ == "__main__":
    cli()
