"""Measures runs: `python -m unet_lightning.evaluate run=outputs/quick/latest`."""

import math
import re
import sys
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig

from unet_lightning import specs
from unet_lightning.errors import ConfigError
from unet_lightning.program import CONF, one_line_errors, plain, trust_command_line
from unet_lightning.text import at_home, shown
from unet_lightning.training.folder import followed

OPTIONS = ("tta", "scale", "tile", "blend", "device")  # how photographs pass through networks
CHOICES = {
    "split": (None, "val", "test", "all"),
    "checkpoint": (None, "best", "last"),
    "report": (True, False),
    "instances": (True, False),
}


@hydra.main(version_base="1.3", config_path=CONF, config_name="evaluate")
@one_line_errors
def main(cfg: DictConfig) -> None:
    """Predicts every image of a split, scores it, writes the table and prints it, for each run and data set named."""
    config, overrides = plain(cfg), list(HydraConfig.get().overrides.task)
    check(config, overrides)
    trust_command_line(config)
    several = sections(config["data_sets"], overrides)
    from unet_lightning.metrics.surface import TOLERANCE
    from unet_lightning.results.by_class import show_tables
    from unet_lightning.results.places import held
    from unet_lightning.results.published import publish_evaluation, write_evaluation, write_matrix
    from unet_lightning.results.scores import Evaluation, evaluate_maps
    from unet_lightning.training.loggers import build_loggers
    from unet_lightning.training.trackers.tracker import forget_names

    forget_names()  # an evaluation is a run of its own
    build_loggers(config["logger"], Path())  # what is wrong with one comes up now
    done: dict[Path, list[Evaluation]] = {}
    usual = {"surface_tolerance": TOLERANCE, "instances": False}
    measured = {name: config[name] for name, value in usual.items() if config[name] != value}
    for named in named_by(config):
        folder = named if config["weights"] is None else named.with_suffix("")  # beside a file of weights
        # A checkpoint is opened anew for each data set: little time, and no state to keep in step.
        for data in several or [config["data"]]:
            source = open_source(config, named, data)
            for split in source.splits(config["split"]):
                with held(folder, source.name(split, config["threshold"], **measured)) as place:
                    maps = source.maps(split, config["threshold"])
                    evaluation = evaluate_maps(maps, config["surface_tolerance"], config["instances"])
                    written, words = write_evaluation(evaluation, place, config["report"])
                    show_tables(evaluation)
                    print(shown(words))
                    publish_evaluation(config["logger"], written, evaluation, folder)
                done.setdefault(folder, []).append(evaluation)
    if several:
        write_matrix(done)


def check(config: dict[str, Any], overrides: list[str]) -> None:
    """Raises ConfigError for a value out of range, and for values that do not go together."""
    for name, choices in CHOICES.items():
        if config[name] not in choices:
            words = ", ".join("null" if choice is None else str(choice).lower() for choice in choices)
            raise ConfigError(f"{name} must be one of {words}, found {config[name]}.")
    threshold, data_sets, has_maps = config["threshold"], config["data_sets"], config["predictions"] is not None
    sources = [name for name in ("run", "predictions", "weights") if config[name] is not None]
    of_elsewhere = threshold == "val" and config["run"] is None
    tolerance, has_weights = config["surface_tolerance"], config["weights"] is not None
    number = type(threshold) in (int, float) and 0 <= threshold <= 1
    pixels = type(tolerance) in (int, float) and 0 <= tolerance < math.inf
    useless = [name for name in ("checkpoint", *OPTIONS) if any(word.startswith(f"{name}=") for word in overrides)]
    of_weights = [word for word in overrides if word.lstrip("+").startswith(("model.", "normalize"))]
    one_set = any(word.startswith("data.") for word in overrides)
    wrong = {
        f"threshold must be from 0 to 1, or val, found {threshold}.": not number and threshold not in (None, "val"),
        f"surface_tolerance must be a number of pixels from 0 on, found {tolerance}.": not pixels,
        "Give run=<run folder>, or predictions=<folder of probability maps> data=<data set>, or weights=<file> "
        f"data=<data set>; found {', '.join(sources) or 'none'}.": len(sources) != 1,
        "threshold=val needs a run: maps and weights from elsewhere have no validation images here.": of_elsewhere,
        f"{', '.join(of_weights)}: of no effect without weights, leave it out.": of_weights and not has_weights,
        "checkpoint chooses one of a run: weights names the file itself.": has_weights and config["checkpoint"],
        f"{', '.join(useless)}: of no effect on maps from elsewhere, leave it out.": has_maps and useless,
        "run, predictions and weights name at least one place, found an empty list.": sources and not named_by(config),
        "data names at least one data set, found an empty list.": data_sets == [],
        "data.<key> is of one data set: for several set DRIVE_ROOT, CHASE_DB1_ROOT and so on.": data_sets and one_set,
    }
    for message, found in wrong.items():
        if found:
            raise ConfigError(message)


def named_by(config: dict[str, Any]) -> list[Path]:
    """The folders, or files of weights, to measure."""
    named = next(config[name] for name in ("predictions", "weights", "run") if config[name] is not None)
    return [followed(Path(str(folder))) for folder in (named if isinstance(named, list) else [named])]


def sections(names: list[str] | None, overrides: list[str]) -> list[dict[str, Any]]:
    """The `data` sections of several data sets; none where the command names one."""
    others = [word for word in overrides if not word.startswith("data_sets=")]
    found = []
    for name in names or []:
        try:
            found.append(plain(hydra.compose("evaluate", [*others, f"data={name}"]).data))
            specs.trust(specs.targets_in(found[-1]))
        except HydraException as error:
            raise ConfigError(f"No data set {name}: {str(error).splitlines()[0]}") from error
    return found


def open_source(config: dict[str, Any], folder: Path, data: dict[str, Any]) -> Any:
    """Where maps of a data set come from: the networks of a folder, or files in it."""
    from unet_lightning.inference.predictor import PredictionOptions
    from unet_lightning.results.foreign import MapSource
    from unet_lightning.results.maps import NetworkSource
    from unet_lightning.training.folds import first_run
    from unet_lightning.training.loose import load_loose, words_of_loose

    if config["predictions"] is not None:
        return MapSource(folder, data)
    options = PredictionOptions(**{name: config[name] for name in OPTIONS})
    if config["weights"] is not None:
        if "_target_" not in data:
            raise ConfigError("weights needs the data set to measure on, such as data=drive.")
        trained = load_loose(folder, config["model"] or {}, config["normalize"])
        print(words_of_loose(trained))
        return NetworkSource(folder.with_suffix(""), data, None, options, [trained])
    if config["data_sets"] and data["dataset"] == first_run(folder).read_config()["data"]["dataset"]:
        data = {}  # as the run had it
    return NetworkSource(folder, data, config["checkpoint"], options)


@one_line_errors
def cli() -> None:
    """The program: the command line, then Hydra, which would put `data=[drive,chase_db1]` together as one data set."""
    sys.argv[1:] = [re.sub(r"^data=\[", "data_sets=[", word) for word in at_home(sys.argv[1:])]
    main()


if __name__ == "__main__":
    cli()
