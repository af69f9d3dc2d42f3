"""A contact sheet: photographs with their labels painted over them, in one file to look at."""

from pathlib import Path

import torch

from unet_lightning.data.folder import FolderDataset
from unet_lightning.data.labels import IGNORE
from unet_lightning.data.shown import shown
from unet_lightning.files import write_text
from unet_lightning.importing.check import Checked
from unet_lightning.importing.split import Split
from unet_lightning.inference.colours import class_colours
from unet_lightning.inference.maps import overlay
from unet_lightning.results.html import embed, render

MOST = 48  # images
SIDE = 400  # pixels
IGNORED = "#808080"


def write_sheet(root: Path, split: Split, facts: Checked, path: Path) -> None:
    """Writes the photographs of a folder, those that are unlike the others first, with their labels."""
    parts = {part: FolderDataset(root, part, groups="(.+)") for part in ("train", "test") if part in _folders(split)}
    ids = [*split.parts]
    chosen = [*facts.unlike, *ids[:: -(-len(ids) // MOST)]]
    images = []
    for name in list(dict.fromkeys(chosen))[:MOST]:
        one = parts["test" if split.parts[name] == "test" else "train"].subset([name])
        step = max(1, max(one.photo(0).shape[1:]) // SIDE)
        photo, target = shown(one.photo(0)[:, ::step, ::step]), one.samples[0].target[::step, ::step]
        classes = len(one.classes)
        drawn = torch.stack([target == number for number in range(1, classes)])
        painted = overlay(photo.clone(), drawn)
        painted[:, target == IGNORE] = painted[:, target == IGNORE] // 2 + 64
        images.append(
            {"name": name, "part": split.parts[name], "photo": embed(photo, 80), "overlay": embed(painted, 80)}
        )
    names = next(iter(parts.values())).classes
    page = render(
        "check.html.j2",
        title=f"{len(ids)} images of {next(iter(parts.values())).name}",
        lines=facts.lines,
        doubts=facts.doubts,
        classes=list(zip(names[1:], class_colours(len(names))[1:], strict=True)),
        shown=f"{len(images)} of {len(ids)} images, what is doubtful first. Pixels that do not count are grey.",
        images=images,
    )
    write_text(path, page)


def _folders(split: Split) -> tuple[str, ...]:
    return ("train", "test") if split.of("test") else ("train",)
