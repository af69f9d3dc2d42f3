"""Maps that look at no photograph, as rows of a leaderboard without a rank."""

from collections.abc import Sequence
from statistics import fmean

from unet_lightning.results.leaderboard.entries import Entry, Run
from unet_lightning.results.trivial import is_trivial


def trivial_entries(runs: Sequence[Run]) -> list[Entry]:
    """An entry a map that is measured on every image, the same beside all runs; of earlier versions there are none."""
    every = {image for run in runs for image in run.evaluation.images}
    names = dict.fromkeys(name for run in runs for name in is_trivial(list(run.evaluation.per_image)))
    return [entry for name in names if (entry := _entry(name, runs)).images >= every]


def _entry(name: str, runs: Sequence[Run]) -> Entry:
    tables = [run.evaluation for run in runs if name in run.evaluation.per_image]
    values: dict[str, dict[str, float]] = {}
    for found in tables:
        for figure in found.per_image[name]:
            values.setdefault(figure, {}).update(found.values(name, figure))
    pooled = {
        figure: fmean(one.pooled[name][figure] for one in tables)
        for figure in tables[0].pooled[name]
        if all(figure in one.pooled[name] for one in tables)
    }
    return Entry(name, name, values, pooled, trivial=True)
