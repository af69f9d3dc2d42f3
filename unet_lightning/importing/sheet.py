"""A contact sheet: photographs with their labels painted over them, in one file to look at."""

from collections.abc import Mapping
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


def write_sheet(parts: Mapping[str, FolderDataset], split: Split, facts: Checked, path: Path) -> None:
    """Writes the photographs of a data set, those that are unlike the others first, with their labels."""
    name, names = parts["train"].name, parts["train"].classes
    ids = [*split.parts]
    chosen = [*facts.unlike, *ids[:: -(-len(ids) // MOST)]]
    images = []
    for image_id in list(dict.fromkeys(chosen))[:MOST]:
        dataset = parts["test" if split.parts[image_id] == "test" else "train"]
        index = dataset.image_ids.index(image_id)
        photo, target = dataset.photo(index), dataset.target(index)
        step = max(1, max(target.shape) // SIDE)
        photo, target = shown(photo[:, ::step, ::step]), target[::step, ::step]
        painted = overlay(photo.clone(), torch.stack([target == number for number in range(1, len(names))]))
        painted[:, target == IGNORE] = painted[:, target == IGNORE] // 2 + 64
        pictures = {"photo": embed(photo, 80), "overlay": embed(painted, 80)}
        images.append({"name": image_id, "part": split.parts[image_id], **pictures})
    page = render(
        "check.html.j2",
        title=f"{len(ids)} images of {name}",
        lines=facts.lines,
        doubts=facts.doubts,
        classes=list(zip(names[1:], class_colours(len(names))[1:], strict=True)),
        shown=f"{len(images)} of {len(ids)} images, what is doubtful first. Pixels that do not count are grey.",
        images=images,
    )
    write_text(path, page)
