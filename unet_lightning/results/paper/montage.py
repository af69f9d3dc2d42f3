"""The worst, the middle and the best image side by side: photograph, label, and what each method made of them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from matplotlib.figure import Figure
from matplotlib.patches import Patch
from torch import Tensor

from unet_lightning.data.labels import IGNORE
from unet_lightning.inference.colours import FALSE_NEGATIVE, FALSE_POSITIVE, TRUE_POSITIVE, class_colours, in_colours
from unet_lightning.metrics.comparison import Values
from unet_lightning.results.report import NOT_COUNTED, overlay_errors
from unet_lightning.results.style import BLACK, MILLIMETRE, Sizes
from unet_lightning.results.tables import readable

ERRORS = {"true positive": TRUE_POSITIVE, "false positive": FALSE_POSITIVE, "false negative": FALSE_NEGATIVE}


@dataclass(frozen=True)
class Shown:
    """An image of the montage."""

    title: str  # which it is
    photo: Tensor  # (3, H, W) uint8
    target: Tensor  # (H, W) integer
    called: Mapping[str, Tensor]  # by method, (H, W) integer
    figures: Mapping[str, float]  # by method


def worst_median_best(methods: Sequence[Values], lower_is_better: bool = False) -> dict[str, str]:
    """The images with the worst, the middle and the best figure, by those words; each image once.

    By the mean over the methods, of the images for which all have a figure; of equal ones the first by name, of an even
    number the middle one that is worse.
    """
    every = set.intersection(*({image for image, one in values.items() if not math.isnan(one)} for values in methods))
    sign = -1 if lower_is_better else 1
    order = sorted(every, key=lambda image: (sign * fmean(values[image] for values in methods), image))
    last = len(order) - 1
    places = {last // 2: "median"} | {0: "worst", last: "best"}
    return {places[place]: order[place] for place in sorted(places) if order}


def montage(images: Sequence[Shown], classes: Sequence[str], figure_name: str, sizes: Sizes) -> Figure:
    """A row an image. With more than two `classes` maps are in their colours, else errors are.

    A page wide, as high as the widest photograph asks for.
    """
    methods, several = list(images[0].called), len(classes) > 2
    colours = [*class_colours(len(classes)), NOT_COUNTED]
    if not several:
        colours[1] = "#FFFFFF"
    height = max(one.photo.shape[1] / one.photo.shape[2] for one in images) * (sizes.page - 8) / (2 + len(methods)) + 4
    size = (sizes.page * MILLIMETRE, (len(images) * height + 8) * MILLIMETRE)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(images), 2 + len(methods), squeeze=False)
    for row, one in zip(axes, images, strict=True):
        nothing = one.target == IGNORE

        def painted(numbers: Tensor, nothing: Tensor = nothing) -> Tensor:
            return in_colours(numbers.masked_fill(nothing, len(colours) - 1), colours)

        pictures = {"photograph": one.photo, "label": painted(one.target)}
        for method, called in one.called.items():
            pictures[method] = painted(called) if several else overlay_errors(one.photo, called == 1, one.target)
        for panel, (title, picture) in zip(row, pictures.items(), strict=True):
            panel.imshow(picture.permute(1, 2, 0).numpy())
            panel.set(xticks=[], yticks=[], title=title if one is images[0] else "")
            panel.spines[:].set_visible(False)
            if title in one.figures:
                panel.set_xlabel(f"{figure_name} {readable(one.figures[title])}", labelpad=1)
        row[0].set_ylabel(one.title)
    named = dict(zip(classes, colours, strict=False)) if several else ERRORS
    handles = [Patch(facecolor=colour, edgecolor=BLACK, linewidth=0.4, label=name) for name, colour in named.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 6))
    return figure
