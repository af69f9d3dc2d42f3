"""Measures a run: `python -m unet_lightning.evaluate run=outputs/quick/latest`."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import hydra
from omegaconf import DictConfig

from unet_lightning import __version__
from unet_lightning.errors import ConfigError
from unet_lightning.files import write_text
from unet_lightning.launch import CONF, instantiate, one_line_errors, plain, require

if TYPE_CHECKING:
    from unet_lightning.data.fundus import FundusDataset
    from unet_lightning.metrics.summary import Summary
    from unet_lightning.runfolder import RunFolder, Trained


@hydra.main(version_base="1.3", config_path=CONF, config_name="evaluate")
@one_line_errors
def main(cfg: DictConfig) -> None:
    """Predicts every image of a split, scores it, and writes and prints the table.

    Raises:
        UserError: shown as one line; the exit code is 1.
    """
    check(cfg)
    require("rich", extra="report", why="evaluate prints its table with rich")
    from unet_lightning.data.labels import VESSEL
    from unet_lightning.inference.maps import save_probability
    from unet_lightning.inference.predictor import Predictor, choose_device
    from unet_lightning.metrics.summary import summarise
    from unet_lightning.runfolder import RunFolder

    run = RunFolder(Path(cfg.run))
    dataset = photographs(run, cfg)
    trained = run.load()
    predictor = Predictor(trained.network, trained.mean, trained.std, choose_device(cfg.device))
    probabilities = [predictor(sample.image) for sample in dataset.samples]
    targets = [sample.target for sample in dataset.samples]
    model = summarise([map_ >= cfg.threshold for map_ in probabilities], targets, probabilities)
    seconds = [dataset.second_target(index) for index in range(len(dataset))]
    drawn = [second == VESSEL for second in seconds if second is not None]
    human = summarise(drawn, targets) if len(drawn) == len(targets) else None
    if drawn and human is None:
        lacking = [i for i, second in zip(dataset.image_ids, seconds, strict=True) if second is None]
        print(f"No row for the second observer: no label of theirs for {', '.join(lacking)}.")
    folder = run.evaluation(dataset.name, cfg.split)
    for image_id, probability in zip(dataset.image_ids, probabilities, strict=True):
        save_probability(probability, folder / "probabilities" / f"{image_id}.png")
    write_results(folder, cfg, trained, dataset, model, human)


def check(cfg: DictConfig) -> None:
    """Raises ConfigError for a value out of range."""
    if cfg.split not in ("val", "test"):
        raise ConfigError(f"split must be test or val, found {cfg.split}.")
    if isinstance(cfg.threshold, bool) or not isinstance(cfg.threshold, float | int) or not 0 <= cfg.threshold <= 1:
        raise ConfigError(f"threshold must be from 0 to 1, found {cfg.threshold}.")
    if cfg.device not in ("auto", "cpu", "cuda"):
        raise ConfigError(f"device must be auto, cpu or cuda, found {cfg.device}.")


def photographs(run: "RunFolder", cfg: DictConfig) -> "FundusDataset":
    """The images to measure: of the run's data, or of the data set that the command names."""
    config = run.read_config()["data"]
    given = {key: value for key, value in plain(cfg.data).items() if value is not None}
    config = given if "_target_" in given else config | given
    dataset: FundusDataset = instantiate(config, "data").photographs(cfg.split)
    if not len(dataset):
        raise ConfigError(f"The {cfg.split} split of {dataset.name} has no image.")
    return dataset


def write_results(
    folder: Path,
    cfg: DictConfig,
    trained: "Trained",
    dataset: "FundusDataset",
    model: "Summary",
    human: "Summary | None",
) -> None:
    """metrics.json, per_image.csv and table.md; prints the table."""
    from unet_lightning.files import write_rows
    from unet_lightning.reporting.tables import results_table, show

    # Images that the network was trained or selected on: their figures prove nothing.
    leaked = [i for i in dataset.image_ids if i in trained.seen_ids] if dataset.name == trained.dataset else []
    observers = {"model": model} | ({} if human is None else {"second observer": human})
    protocol = {
        "dataset": dataset.name,
        "split": cfg.split,
        "images": len(dataset),
        "reference": "first observer",
        "region": "field of view",
        "resolution": "the photograph's own",
        "threshold": cfg.threshold,
        "checkpoint": str(trained.checkpoint),
        "epoch": trained.epoch,
        "seed": trained.seed,
        "initial_weights": trained.initial_weights,
        "unet_lightning": __version__,
        "leak": leaked,
    }
    rows = [
        {"observer": observer, "image_id": image_id, "leak": image_id in leaked} | row
        for observer, summary in observers.items()
        for image_id, row in zip(dataset.image_ids, summary.per_image, strict=True)
    ]
    figures = {
        name: {
            "mean": known(s.mean),
            "sd": known(s.sd),
            "low": known({figure: low for figure, (low, _) in s.interval.items()}),
            "high": known({figure: high for figure, (_, high) in s.interval.items()}),
            "pooled": known(s.pooled),
        }
        for name, s in observers.items()
    }
    write_rows(rows, folder / "per_image.csv")
    write_text(folder / "metrics.json", json.dumps({"protocol": protocol, "figures": figures}, indent=2))
    write_text(folder / "table.md", show(results_table(observers, protocol)))
    print(f"Written to {folder}")


def known(figures: Mapping[str, float]) -> dict[str, float | None]:
    """Figures for JSON, which has no NaN: null where there is none, such as the SD of one image."""
    return {name: None if math.isnan(value) else value for name, value in figures.items()}


if __name__ == "__main__":
    main()
