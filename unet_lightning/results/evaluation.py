"""The folder of an evaluation: probability maps, figures with their protocol, table and report."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from unet_lightning.files import write_text
from unet_lightning.inference.maps import save_probability
from unet_lightning.metrics.calibration import reliability
from unet_lightning.results.report import write_report
from unet_lightning.results.scores import Evaluation, pooled
from unet_lightning.results.stored import MODEL, PROBABILITIES, TABLE, evaluation_folder, write_stored
from unet_lightning.results.tables import cross_table, results_table, show, words_of


def write_evaluation(evaluation: Evaluation, run: Path, report: bool = True, terminal: bool = True) -> Path:
    """Writes the folder of an evaluation, in place of an earlier one, and prints the table.

    Args:
        evaluation: the figures.
        run: the folder of the run, of the cross-validation, or of the maps.
        report: whether report.html is drawn too; with more than two classes one for each.
        terminal: whether the table is printed.

    Returns:
        `<run>/evaluation/<data set>-<split>`.
    """
    protocol, observers = evaluation.protocol, evaluation.observers
    folder = evaluation_folder(run, protocol["dataset"], protocol["split"])
    for stale in (*folder.glob("report*.html"), *folder.glob(f"{PROBABILITIES}/*.png")):
        stale.unlink()
    endings = {name: name.removeprefix(MODEL).replace(": ", "_", 1) for name in evaluation.images}  # "", or "_<class>"
    for name, images in evaluation.images.items():
        for one in images:
            save_probability(one.probability, folder / PROBABILITIES / f"{one.image_id}{endings[name]}.png")
    calibration = {
        name: [asdict(one) for one in reliability(*pooled(images))] for name, images in evaluation.images.items()
    }
    write_stored(folder, protocol, observers, evaluation.dataset.image_ids, calibration)
    text = show(results_table(observers, bool(protocol["leak"])), words_of(protocol), terminal)
    write_text(folder / TABLE, text)
    if report:
        title = f"{'/'.join(run.resolve().parts[-2:])}: {protocol['dataset']} {protocol['split']}"
        people = {name: summary for name, summary in observers.items() if name not in evaluation.images}
        for name, images in evaluation.images.items():
            page = folder / f"report{endings[name]}.html"
            write_report(page, title, protocol, {name: observers[name]} | people, images)
    if terminal:
        print(f"Written to {folder}")
    return folder


def write_matrix(done: Mapping[Path, Sequence[Evaluation]]) -> None:
    """Prints the Dice of runs (down) on data sets (across) and writes it into each run as evaluation/matrix.md.

    Args:
        done: the evaluations of each run, by its folder.
    """
    cells = {
        str(run): {f"{one.protocol['dataset']} {one.protocol['split']}": dice_with_interval(one) for one in evaluations}
        for run, evaluations in done.items()
    }
    caption = "Dice per image with its 95 % bootstrap interval; the protocol of each cell is in its evaluation folder."
    text = show(cross_table(cells), caption)
    for run in done:
        write_text(run / "evaluation" / "matrix.md", text)


def dice_with_interval(evaluation: Evaluation, mark_leak: bool = True) -> str:
    """Mean Dice of the model, of several classes of the first: `0.8177 [0.8101, 0.8254]`."""
    summary = evaluation.observers[next(iter(evaluation.images))]
    low, high = summary.interval["dice"]
    return f"{summary.mean['dice']:.4f} [{low:.4f}, {high:.4f}]" + " LEAK" * (
        mark_leak and bool(evaluation.protocol["leak"])
    )
