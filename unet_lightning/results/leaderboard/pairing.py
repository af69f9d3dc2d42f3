"""Which photographs of several evaluations are the same, and which maps: by content, whatever they are called."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from unet_lightning.errors import DataError, RunError
from unet_lightning.inference.maps import read_probability
from unet_lightning.results.leaderboard.entries import Entry, Run
from unet_lightning.results.stored import StoredEvaluation

SAME_MAP = 0.98  # Dice of the vessels of two maps, from which on they are one: no other network agrees as well as that


def paired(runs: Sequence[Run]) -> tuple[list[Run], list[str]]:
    """The runs with one name for each photograph, that of the first run which has it; and notes on it.

    Where an evaluation is of an earlier version, photographs go by their names.

    Raises:
        RunError: two runs were measured against different labels of a photograph.
    """
    if old := [run.name for run in runs if not run.evaluation.content]:
        said = "Evaluated by an earlier version, so that photographs and LEAK go by names and not by content"
        return list(runs), [f"{said}: {', '.join(old)}."]
    names: dict[tuple[str, int], str] = {}
    labels: dict[str, tuple[str, str]] = {}  # digest of each photograph's label, with the first run that has it
    found = []
    for run in runs:
        content, times, own = run.evaluation.content, Counter[str](), dict[str, str]()
        for image in sorted(run.evaluation.images):
            digest, label = content[image]["photograph"], content[image].get("label", "")
            first, known = labels.setdefault(digest, (run.name, label))
            if label != known:
                raise RunError(
                    f"{first} and {run.name} cannot be compared: they were measured against different labels of image "
                    f"{image}. Evaluate both on the same labels."
                )
            times[digest] += 1
            taken = image in names.values()
            name = f"{image} ({digest[:6]})" if taken else image  # another photograph has this name
            own[image] = names.setdefault((digest, times[digest]), name)
        found.append(replace(run, evaluation=renamed(run.evaluation, own)))
        if own.keys() & runs[0].evaluation.images and not found[0].evaluation.images & {*own.values()}:
            raise RunError(
                f"{found[0].name} and {run.name} cannot be compared: they have no photograph in common. Those of the "
                "same names are others, by their pixels. Evaluate both on the same photographs."
            )
    return found, []


def renamed(evaluation: StoredEvaluation, names: Mapping[str, str]) -> StoredEvaluation:
    """An evaluation with other names for its images."""
    protocol = evaluation.protocol
    renamed_protocol = replace(
        protocol,
        content={names[image]: one for image, one in protocol.content.items()},
        leak=[names.get(image, image) for image in protocol.leak],
        leak_reasons={why: [names.get(one, one) for one in images] for why, images in protocol.leak_reasons.items()},
    )
    return replace(
        evaluation,
        protocol=renamed_protocol,
        per_image={observer: table.rename(index=dict(names)) for observer, table in evaluation.per_image.items()},
        written_as={name: image for image, name in names.items()},
    )


def mark_twins(entries: Sequence[Entry]) -> list[Entry]:
    """The entries; maps whose training is unknown leak where those of a network that leaks are the same."""
    leaks = [entry for entry in entries if entry.leak]
    found = []
    for entry in entries:
        if not entry.leak and entry.unknown:
            twin = next((other for other in leaks if same_maps(entry, other)), None)
            entry = entry if twin is None else replace(entry, leak=twin.leak, twin=twin.name)
        found.append(entry)
    return found


def same_maps(one: Entry, other: Entry) -> bool:
    """Whether a run of each has made the same maps of all images that both have, if only in fewer bits or as masks."""
    return any(_same(mine.evaluation, theirs.evaluation) for mine in one.runs for theirs in other.runs)


def _same(one: StoredEvaluation, other: StoredEvaluation) -> bool:
    agreements = []
    for image in sorted(one.images & other.images):
        try:
            maps = [read_probability(evaluation.map_of(image)).flatten() for evaluation in (one, other)]
        except DataError:  # removed since: what is left to compare are the figures
            agreements.append(float(one.values("model", "dice").get(image) == other.values("model", "dice").get(image)))
            continue
        if maps[0].shape != maps[1].shape:
            return False
        # As many pixels of both as the coarser one has vessels: masks and stretched maps have other thresholds.
        vessels = int((min(maps, key=lambda each: len(set(each.tolist()))) >= 0.5).sum())
        pixels = vessels if 0 < vessels < len(maps[0]) else len(maps[0]) // 20 + 1
        drawn = [each >= each.topk(pixels).values[-1] for each in maps]
        agreements.append(2 * int((drawn[0] & drawn[1]).sum()) / int(drawn[0].sum() + drawn[1].sum()))
    return bool(agreements) and min(agreements) >= SAME_MAP
