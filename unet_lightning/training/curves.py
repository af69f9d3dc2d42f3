"""Pictures of a run, drawn by Matplotlib."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from unet_lightning.files import whole_file
from unet_lightning.inference.colours import BLUE, ORANGE


def draw_curves(rows: Sequence[Mapping[str, float]], path: Path) -> None:
    """Losses and validation Dice over the epochs of a run, from the rows of metrics.csv, as PNG."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    left_curves = [("train/loss", ORANGE, "training"), ("val/loss", BLUE, "validation")]
    right_curves = [("val/dice_per_image", BLUE, "per image"), ("val/dice_pooled", ORANGE, "pooled")]
    for axes, title, curves in ((left, "Loss", left_curves), (right, "Validation Dice", right_curves)):
        for name, colour, label in curves:
            points = [(row["epoch"] + 1, row[name]) for row in rows if name in row]
            if points:
                # A single epoch is a point: a line would not show.
                axes.plot(*zip(*points, strict=True), color=colour, label=label, marker="." if len(points) < 3 else "")
        axes.set(title=title, xlabel="epoch")
        axes.grid(alpha=0.3)
        if axes.lines:
            axes.legend()
    with whole_file(path) as temporary:
        figure.savefig(temporary, dpi=120)
