"""The folder of a run: where its files are, and how a later program reads them."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from torch import nn

from unet_lightning.build import build
from unet_lightning.errors import RunError
from unet_lightning.files import write_text
from unet_lightning.models.weights import load_weights, read_checkpoint

DATA_STATE = "RetinalDataModule"  # Lightning keeps the state of a data module under the name of its class


@dataclass(frozen=True)
class Trained:
    """What a checkpoint says of a trained network.

    Attributes:
        network: with its weights.
        mean: of each channel of the training photographs, in [0, 1].
        std: standard deviation of each channel.
        dataset: name of the data set trained on.
        seen_ids: its images that the network was trained or selected on.
        checkpoint: the file.
        epoch: of the checkpoint, from 0.
        seed: of the run.
    """

    network: nn.Module
    mean: list[float]
    std: list[float]
    dataset: str
    seen_ids: list[str]
    checkpoint: Path
    epoch: int
    seed: int


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

    def evaluation(self, dataset: str, split: str) -> Path:
        """The folder of an evaluation."""
        return self.path / "evaluation" / f"{dataset}-{split}"

    def check(self) -> None:
        """Raises RunError where this is no run folder."""
        if not self.config_file.is_file():
            where = "it does not exist" if not self.path.exists() else "it has no config.yaml"
            raise RunError(
                f"{self.path} is no run folder: {where}. Give the folder that training printed, such as "
                "outputs/<name>/<date_time> or outputs/<name>/latest."
            )

    def claim(self) -> None:
        """Raises RunError where another run is already here."""
        if self.config_file.exists():
            raise RunError(
                f"{self.path} already holds a run. Go on with it by resume={self.path}, or choose another folder."
            )

    def discard_empty(self) -> None:
        """Removes the folder where nothing but empty log files is in it: what was to begin here did not."""
        if self.path.is_dir() and not any(path.is_dir() or path.stat().st_size for path in self.path.iterdir()):
            shutil.rmtree(self.path)

    def write_config(self, config: dict[str, Any]) -> None:
        """Writes the resolved config, with its own folder left open: the folder may be moved, or the run repeated."""
        text = OmegaConf.to_yaml(OmegaConf.create(config))
        write_text(self.config_file, text.replace(str(self.path), "${hydra:runtime.output_dir}"))

    def read_config(self) -> dict[str, Any]:
        """The resolved config."""
        self.check()
        config = OmegaConf.to_container(OmegaConf.load(self.config_file))  # interpolations stay as they are
        assert isinstance(config, dict)
        return {str(key): value for key, value in config.items()}

    def link_latest(self) -> None:
        """Points `latest`, beside the folder, to it; where the file system has no links there is none."""
        link = self.path.parent / "latest"
        try:
            if link.is_symlink():
                link.unlink()
            link.symlink_to(self.path.name)
        except OSError:
            pass

    def load(self) -> Trained:
        """The network of the best checkpoint, or of the last one where validation was off.

        Raises:
            RunError: no run folder, no checkpoint yet, or a broken one.
        """
        config = self.read_config()
        path = self.best if self.best.is_file() else self.last
        if not path.is_file():
            raise RunError(f"{self.path} has no checkpoint yet: looked for {self.best}. Let training finish an epoch.")
        checkpoint = read_checkpoint(path)
        data = checkpoint.get(DATA_STATE)
        if data is None or "hyper_parameters" not in checkpoint:
            raise RunError(
                f"The checkpoint {path} was not written by a run: it lacks {DATA_STATE} or hyper_parameters."
            )
        network = build(checkpoint["hyper_parameters"]["model"])
        load_weights(network, path)
        seen = [*data["train_ids"], *data["val_ids"]]
        return Trained(
            network, data["mean"], data["std"], data["dataset"], seen, path, checkpoint["epoch"], config["seed"]
        )
