"""Makes the W&B workspace of a sweep: python experiments/dashboard/dashboard.py ENTITY --group name/date_time.

Needs `pip install -e '.[dashboard]'` and `wandb login`; with --dry-run neither account nor network.
"""

import argparse
import json
from collections.abc import Sequence

import wandb_workspaces.reports.v2 as wr
import wandb_workspaces.workspaces as ws

STEP = "trainer/global_step"
CURVES = ("val/dice_per_image", "val/dice_pooled", "val/loss", "train/loss", "train/grad_norm", "lr")
BEST = "best/dice_per_image"
# What sweeps of this project usually change; leave out what yours keeps.
VARIED = ("model.bilinear", "model.base_c", "optimizer.lr", "trainer.precision", "data.fold", "seed")


def workspace(entity: str, project: str, group: str | None, varied: Sequence[str]) -> ws.Workspace:
    """The dashboard: learning curves, images, curves of the best checkpoint, parameters, and runs side by side.

    Args:
        entity: user or team.
        project: of the runs.
        group: of the sweep; None shows all runs of training.
        varied: config keys that the sweep changes.
    """
    filters = [ws.Metric("JobType") == "train"] + ([ws.Metric("Group") == group] if group else [])
    lines = [wr.LinePlot(title=name, x=STEP, y=[name]) for name in CURVES]
    columns = [wr.ParallelCoordinatesPlotColumn(wr.Config(key), display_name=key) for key in varied]
    columns.append(wr.ParallelCoordinatesPlotColumn(wr.SummaryMetric(BEST), display_name="best Dice per image"))
    intervals = [f"{BEST}_low", BEST, f"{BEST}_high"]
    sections = [
        ws.Section("Learning curves", panels=lines, is_open=True),
        ws.Section(
            "What was found",
            panels=[wr.MediaBrowser(title="Validation photographs", media_keys=["val/images"], num_columns=2)],
            is_open=True,
        ),
        ws.Section(
            "Best checkpoint",
            panels=[
                wr.BarPlot(title="Dice per image, with its 95 % interval", metrics=intervals),
                curve("best/precision_recall_table", "recall", "precision"),
                curve("best/calibration_table", "probability of a vessel", "share of vessels"),
                wr.WeavePanelSummaryTable(table_name="best/per_image"),
            ],
        ),
        ws.Section(
            "What the parameters do",
            panels=[wr.ParameterImportancePlot(with_respect_to=BEST), wr.ParallelCoordinatesPlot(columns=columns)],
        ),
        ws.Section("Runs side by side", panels=[wr.RunComparer(diff_only="split")]),
    ]
    return ws.Workspace(
        entity=entity,
        project=project,
        name=group or "training",
        sections=sections,
        settings=ws.WorkspaceSettings(x_axis=STEP, max_runs=50),
        runset_settings=ws.RunsetSettings(filters=filters, order=[ws.Ordering(ws.Summary(BEST), ascending=False)]),
    )


def curve(table: str, x: str, y: str) -> wr.CustomChart:
    """The curve that each run has logged, all in one chart."""
    return wr.CustomChart(
        query={"summaryTable": {"tableKey": table}},
        chart_name="wandb/line/v0",  # of wandb.plot.line
        chart_fields={"x": x, "y": y},
        chart_strings={"title": f"{y} over {x}"},
    )


def main() -> None:
    """The program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("entity", help="user or team")
    parser.add_argument("--project", default="unet_lightning")
    parser.add_argument("--group", help="of the sweep, as the runs have it: <name>/<date_time>")
    parser.add_argument("--varied", nargs="+", default=list(VARIED), metavar="KEY", help="what the sweep changes")
    parser.add_argument("--dry-run", action="store_true", help="print the definition and send nothing")
    given = parser.parse_args()
    board = workspace(given.entity, given.project, given.group, given.varied)
    if given.dry_run:
        spec = board._to_model().model_dump(by_alias=True, exclude_none=True, mode="json")
        print(json.dumps(spec, indent=2))
    else:
        print(board.save().url)


if __name__ == "__main__":
    main()
