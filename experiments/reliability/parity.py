"""Whether two processes with half of a batch each train what one process with the whole batch trains.

python experiments/reliability/parity.py

Seven drawn photographs, four to train on and three to validate, so that the processes have different numbers of them;
ten optimizer steps of one batch of four, each an epoch, by `python -m unet_lightning.train` as a user runs it. What is
printed are the greatest differences between the two runs, as a table.
"""

import argparse
import csv
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

STEPS, BATCH = 10, 4
BOUNDS = {"training loss": 1e-5, "validation figures": 1e-6, "weights": 1e-4}
SETTINGS = (
    "data=folder",
    "data.val_ids=['4','5','6']",
    "data.repeats=1",
    "data.augment.crop=32",
    f"trainer.max_epochs={STEPS}",
    "trainer.deterministic=true",
    "trainer.precision=32-true",
    "model.base_c=4",
    "scheduler=none",
    "loss.terms.cross_entropy.class_weights=[1,2]",
)
CASES = {
    "GroupNorm, SGD": ("model.norm=group", "optimizer=sgd"),
    "GroupNorm, AdamW": ("model.norm=group", "optimizer=adamw"),
    "transposed, GroupNorm, SGD": ("model.norm=group", "model.bilinear=false", "optimizer=sgd"),
    "BatchNorm, not synchronised (CPU), SGD": ("optimizer=sgd",),
}


class Trained(NamedTuple):
    """What a run leaves.

    Attributes:
        folder: of the run.
        rows: of metrics.csv, one an epoch.
        weights: by name, of the last checkpoint.
    """

    folder: Path
    rows: list[dict[str, str]]
    weights: dict[str, Any]


def draw(folder: Path) -> None:
    """Seven photographs of 48 x 46 pixels with labels and masks."""
    from unet_lightning.data.synthetic import draw_photograph

    for number in range(7):
        drawn = draw_photograph(random.Random(number), (48, 46))
        for kind, what in (("images", "photo"), ("labels", "label"), ("masks", "fov")):
            (folder / kind).mkdir(parents=True, exist_ok=True)
            drawn[what].save(folder / kind / f"{number}.png")


def train(data: Path, folder: Path, processes: int, overrides: Sequence[str]) -> Trained:
    """Trains the photographs below `data` in a run folder, by one process or two."""
    import torch

    command = [sys.executable, "-m", "unet_lightning.train", *SETTINGS, f"data.root={data}", f"hydra.run.dir={folder}"]
    command += [
        f"data.batch_size={BATCH // processes}",
        f"trainer={'cpu' if processes == 1 else 'ddp_cpu'}",
        *overrides,
    ]
    done = subprocess.run(
        command, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    rows = list(csv.DictReader((folder / "metrics.csv").read_text().splitlines()))
    assert [int(row["step"]) for row in rows] == [*range(1, STEPS + 1)]
    return Trained(folder, rows, torch.load(folder / "checkpoints/last.ckpt", weights_only=True)["state_dict"])


def differences(one: Trained, two: Trained) -> dict[str, float]:
    """The greatest difference between two runs of each kind of `BOUNDS`."""
    validation = [name for name in one.rows[0] if name.startswith("val/")]
    assert set(validation) >= {"val/loss", "val/dice_per_image", "val/dice_pooled"}

    def of(names: list[str]) -> float:
        pairs = zip(one.rows, two.rows, strict=True)
        return max(abs(float(a[name]) - float(b[name])) for a, b in pairs for name in names)

    weights = max(float((value - two.weights[name]).abs().max()) for name, value in one.weights.items())
    return dict(zip(BOUNDS, (of(["train/loss"]), of(validation), weights), strict=True))


def main() -> None:
    """Trains every case twice and prints the table."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    print("| what | greatest difference of | found | bound |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as made:
        draw(Path(made, "data"))
        for number, (case, overrides) in enumerate(CASES.items()):
            runs = [train(Path(made, "data"), Path(made, f"{number}-{n}"), n, overrides) for n in (1, 2)]
            bounds = BOUNDS if "BatchNorm" not in case else {}
            for kind, found in differences(*runs).items():
                print(
                    f"| {case} | {kind} | {found:.1e} | {format(bounds[kind], '.0e') if bounds else '-'} |", flush=True
                )


if __name__ == "__main__":
    main()
