"""Writes run folders and evaluations as `train` and `evaluate` leave them, for tests of what reads them."""

import csv
import json
import statistics

from pydantic import TypeAdapter

from unet_lightning.results.protocol import Protocol

PROTOCOL = {
    "dataset": "drive",
    "split": "test",
    "reference": "first observer",
    "region": "field of view, masks of the data set",
    "resolution": "the photographs' own",
    "threshold": 0.5,
    "threshold_source": "default",
    "tta": "none",
    "scale": "auto",
    "tiles": "whole photographs",
    "networks": [{"checkpoint": "run/checkpoints/best.ckpt", "sha256": "0", "epoch": 3, "seed": 0}],
    "trained_on": "drive",
    "initial_weights": None,
    "commit": "0123456789abcdef",
    "versions": {"unet_lightning": "0.1.0", "torch": "2.15.0"},
}
CONFIG = {
    "name": "quick",
    "seed": 0,
    "data": {"root": "data/DRIVE", "folds": None, "fold": None, "batch_size": 8},
    "model": {"_target_": "unet_lightning.models.unet.UNet", "base_c": 8},
    "loss": {"_target_": "unet_lightning.losses.dice.DiceLoss"},
}


def protocol_of(values):
    """A protocol of plain values."""
    return TypeAdapter(Protocol).validate_python(values)


def write_run(folder, **values):
    """A run folder with CONFIG, changed by `data__fold=1`, `model__base_c=16`, ...; returns it."""
    config = json.loads(json.dumps(CONFIG))
    for key, value in values.items():
        *sections, name = key.split("__")
        section = config
        for part in sections:
            section = section.setdefault(part, {})
        section[name] = value
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML
    return folder


def write_evaluation(folder, figures, leak=(), pooled=None, **protocol):
    """An evaluation in a folder; returns the folder.

    Args:
        folder: of the run.
        figures: `{observer: {figure: {image: value}}}`, or `{figure: {image: value}}` of the model alone; None leaves
            a cell empty.
        leak: images that leaked.
        pooled: `{observer: {figure: value}}`; else the mean over images.
        protocol: what differs from PROTOCOL.
    """
    if not any(isinstance(value, dict) for one in figures.values() for value in one.values()):
        figures = {"model": figures}
    stamp = PROTOCOL | {"images": len(ids(figures)), "leak": sorted(leak)} | protocol
    home = folder / "evaluation" / f"{stamp['dataset']}-{stamp['split']}"
    home.mkdir(parents=True)
    names = list(dict.fromkeys(name for one in figures.values() for name in one))
    with (home / "per_image.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["observer", "image_id", "leak", *names])
        for observer, one in figures.items():
            for image in ids({observer: one}):
                cells = [one.get(name, {}).get(image) for name in names]
                writer.writerow([observer, image, image in leak, *("" if cell is None else cell for cell in cells)])
    means = {
        observer: {name: statistics.fmean(v for v in values.values() if v is not None) for name, values in one.items()}
        for observer, one in figures.items()
    }
    written = {observer: {"pooled": (pooled or {}).get(observer, means[observer])} for observer in figures}
    (home / "metrics.json").write_text(json.dumps({"protocol": stamp, "figures": written}), encoding="utf-8")
    return folder


def ids(figures):
    """The images of an evaluation."""
    return sorted({image for one in figures.values() for values in one.values() for image in values})


def dice(*values):
    """Dice of the images 01, 02, ...; `{figure: {image: value}}`."""
    return {"dice": {f"{number:02}": value for number, value in enumerate(values, start=1)}}


def folder_section(root):
    """A whole `data` section of a folder of images and labels."""
    return {
        "_target_": "unet_lightning.data.datamodule.SegmentationDataModule",
        "dataset": {"_target_": "unet_lightning.data.folder.FolderDataset", "_partial_": True},
        "augment": {"_target_": "torchvision.transforms.v2.Identity"},
        "root": str(root),
    }
