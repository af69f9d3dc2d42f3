"""The folder of a run: where its files are, and how a later program reads them."""

import contextlib
import hashlib
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf
from torch import nn
from yaml import YAMLError

from unet_lightning.errors import OtherRun, RunError
from unet_lightning.files import write_text
from unet_lightning.models.contents import DATA_STATE, data_state
from unet_lightning.models.weights import load_network, read_checkpoint
from unet_lightning.runs.provenance import commit, machine, versions
from unet_lightning.runs.untrusted import HERE, read_config

# What a checkpoint keeps of the data.
KEPT = {"dataset", "train_ids", "val_ids", "inherited", "classes", "mean", "std", "diameter"}


@dataclass(frozen=True)
class Trained:
    """What a checkpoint says of a trained network.

    Attributes:
        network: with its weights.
        classes: names of the classes, background first.
        mean: of each channel of the training photographs, in [0, 1].
        std: standard deviation of each channel.
        diameter: of the field of view of the training photographs, pixels; None where they have none.
        dataset: name of the data set trained on.
        trained_ids: images that the network was trained on, by data set; those that its initial weights have seen,
            in training or validation, are among them.
        val_ids: its images that validation watched.
        checkpoint: the file.
        selected: whether validation chose this checkpoint.
        epoch: of the checkpoint, from 0.
        seed: of the run.
        initial_weights: the file that training began from, or None.
        initial_ids: what those weights have seen, by data set; empty where nothing is known.
    """

    network: nn.Module
    classes: list[str]
    mean: list[float]
    std: list[float]
    diameter: int | None
    dataset: str
    trained_ids: dict[str, list[str]]
    val_ids: list[str]
    checkpoint: Path
    selected: bool
    epoch: int
    seed: int
    initial_weights: str | None
    initial_ids: dict[str, list[str]]

    def stamp(self) -> dict[str, Any]:
        """What names this network in a protocol."""
        with self.checkpoint.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        name = f"{self.checkpoint.parents[1].name}/checkpoints/{self.checkpoint.name}"
        return {"checkpoint": name, "sha256": digest, "epoch": self.epoch, "seed": self.seed}


@dataclass(frozen=True)
class RunFolder:
    """`config.yaml`, `checkpoints/`, `metrics.csv` and so on of one run."""

    path: Path

    @property
    def config_file(self) -> Path:
        """The resolved config."""
        return self.path / "config.yaml"

    @property
    def best(self) -> Path:
        """The checkpoint with the best validation figure."""
        return self.path / "checkpoints" / "best.ckpt"

    @property
    def last(self) -> Path:
        """The checkpoint to go on from."""
        return self.path / "checkpoints" / "last.ckpt"

    def check(self) -> None:
        """Raises RunError where this is no run folder."""
        if not self.config_file.is_file():
            where = "it does not exist" if not self.path.exists() else "it has no config.yaml"
            if (self.path / "error.txt").is_file():
                where = "it failed before it began, see error.txt in it; resume=<its sweep> tries it again"
            raise RunError(
                f"{self.path} is no run folder: {where}. Give the folder that training printed, such as "
                "outputs/<name>/<date_time> or outputs/<name>/latest."
            )

    def claim(self) -> None:
        """Raises OtherRun where another run is already here."""
        if self.config_file.exists():
            raise OtherRun(
                f"{self.path} already holds a run. Go on with it by resume={self.path}, or choose another folder."
            )

    def discard_empty(self) -> None:
        """Removes the folder where nothing but empty log files is in it: what was to begin here did not."""
        for log in self.path.glob("*.log"):
            if not log.stat().st_size:
                log.unlink()
        with contextlib.suppress(OSError):  # not empty
            self.path.rmdir()

    def as_written(self, config: dict[str, Any]) -> str:
        """The text of config.yaml, with its own folder left open: the folder may be moved, or the run repeated."""
        return OmegaConf.to_yaml(OmegaConf.create(_with_place_open(config, str(self.path))))

    def write_config(self, config: dict[str, Any]) -> None:
        """Writes the resolved config."""
        write_text(self.config_file, self.as_written(config))

    def write_provenance(self, config: dict[str, Any], command: str, overrides: Sequence[str]) -> None:
        """Writes repro.yaml: what it takes to repeat the run; a run that goes on adds an attempt to it.

        Args:
            config: resolved.
            command: as it was typed.
            overrides: of this run, in a sweep those of its job.
        """
        known = commit()
        attempt = {
            "command": command,
            "overrides": list(overrides),
            "commit": None if known is None else known.removesuffix("-dirty"),
            "dirty": None if known is None else known.endswith("-dirty"),
            "versions": versions(),
            "machine": machine(),
        }
        path = self.path / "repro.yaml"
        found: Any = {"seed": config["seed"], "deterministic": bool(config["trainer"].get("deterministic"))}
        found |= {"repeat": f"python -m unet_lightning.train {shlex.quote(f'rerun={self.path}')}", "attempts": []}
        with contextlib.suppress(OSError, YAMLError, AttributeError):  # a broken one begins anew
            found["attempts"] = list(yaml.safe_load(path.read_text(encoding="utf-8")).get("attempts", []))
        found["attempts"].append(attempt)
        write_text(path, yaml.safe_dump(found, sort_keys=False, width=1000))

    def check_same(self, config: dict[str, Any]) -> None:
        """Raises OtherRun where the run in this folder is of another configuration; its files may have moved."""
        written = self.read_config()
        wanted = OmegaConf.to_container(OmegaConf.create(self.as_written(config)))
        assert isinstance(wanted, dict)
        for one in (written, wanted):
            one["data"] = {key: value for key, value in one["data"].items() if key != "root"}
        before, now = dict(_flat(written)), dict(_flat(wanted))
        other = [key for key in now | before if (key in now, now.get(key)) != (key in before, before.get(key))]
        if other:
            raise OtherRun(
                f"{self.path} holds a run of another configuration: {', '.join(other)} differ. Choose another "
                f"folder, or go on with that run by resume={self.path}."
            )

    def read_config(self) -> dict[str, Any]:
        """The resolved config.

        Raises:
            RunError: no run folder, or its config.yaml is broken.
        """
        self.check()
        return read_config(self.config_file)

    def link_latest(self, name: str) -> None:
        """Points `<name>/latest` to this run of that name, or to its sweep; a folder of another place has none.

        Where the file system has no links there is none either.
        """
        wanted = Path(name).parts
        for home in (self.path.parent, self.path.parent.parent):
            if home.parts[-len(wanted) :] == wanted:
                link = home / "latest"
                with contextlib.suppress(OSError):
                    link.unlink(missing_ok=True)
                    link.symlink_to(self.path.relative_to(home).parts[0])
                return

    def jobs(self) -> list["RunFolder"]:
        """The runs of a sweep, in their order; none where this is no sweep."""
        if self.config_file.is_file() or not self.path.is_dir():
            return []
        found = [folder for folder in self.path.iterdir() if (folder / "config.yaml").is_file()]
        return [RunFolder(folder) for folder in sorted(found, key=lambda folder: (len(folder.name), folder.name))]

    def load(self, which: str | None = None) -> Trained:
        """The network of a checkpoint.

        Args:
            which: `best` (on validation), `last`, or None: the best, or the last where validation was off.

        Raises:
            RunError: no run folder, no such checkpoint, or a broken one.
        """
        config = self.read_config()
        path = self.last if which == "last" or (which is None and not self.best.is_file()) else self.best
        if not path.is_file():
            raise RunError(f"{self.path} has no checkpoint yet: looked for {path}. Let training finish an epoch.")
        checkpoint = read_checkpoint(path)
        data = data_state(path, checkpoint)
        if not data or "hyper_parameters" not in checkpoint or not isinstance(checkpoint.get("epoch"), int):
            raise RunError(
                f"The checkpoint {path} was not written by a run: it lacks {DATA_STATE}, hyper_parameters or epoch."
            )
        if lacking := {name for name in KEPT - {"diameter"} if data.get(name) is None}:
            raise RunError(f"The checkpoint {path} is of an older version, it lacks {', '.join(lacking)}: train again.")
        own = [*data["inherited"].get(data["dataset"], []), *data["train_ids"]]
        network = load_network(path, checkpoint)
        return Trained(
            network=network,
            classes=data["classes"],
            mean=data["mean"],
            std=data["std"],
            diameter=data.get("diameter"),
            dataset=data["dataset"],
            trained_ids=data["inherited"] | {data["dataset"]: own},
            val_ids=data["val_ids"],
            checkpoint=path.resolve(),
            selected=path == self.best,
            epoch=checkpoint["epoch"],
            seed=config["seed"],
            initial_weights=config["model"].get("weights"),
            initial_ids=data["inherited"],
        )


def _with_place_open(value: Any, folder: str) -> Any:
    """A config with its own folder, and what lies in it, named by `HERE`."""
    if isinstance(value, Mapping):
        return {key: _with_place_open(one, folder) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_with_place_open(one, folder) for one in value]
    inside = isinstance(value, str) and (value == folder or value.startswith(folder + os.sep))
    return HERE + value.removeprefix(folder) if inside else value


def _flat(config: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every value with its dotted name."""
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
