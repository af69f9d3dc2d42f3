import csv
import json

import pytest
from conftest import TINY_RUN
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from unet_lightning.errors import ConfigError, RunError
from unet_lightning.training.loggers import begin, end, group_of
from unet_lightning.training.trackers.mlflow import MLflowTracker
from unet_lightning.training.trackers.tracker import About, Results
from unet_lightning.training.trackers.wandb import WandbTracker

FIGURES = ("train/loss", "train/grad_norm", "val/loss", "val/dice_per_image", "val/dice_pooled")


def about(folder, **values):
    return About(folder, {"seed": 0, "model": {"base_c": 2}}, "day/0", "train/day", "train", **values)


def database(folder):
    return f"sqlite:///{folder / 'runs/mlflow.db'}"


@pytest.fixture(scope="module")
def tracked(program, tmp_path_factory):
    """A run with TensorBoard and MLflow that was resumed, and the client of its database."""
    from mlflow.tracking import MlflowClient

    cwd = tmp_path_factory.mktemp("tracked")
    settings = [*TINY_RUN, "score=true", "trainer.max_epochs=1", "logger=[tensorboard,mlflow]"]
    settings += ["trainer.log_every_n_steps=1"]
    done = program("train", *settings, "scheduler=none", "hydra.run.dir=run", cwd=cwd)
    assert done.returncode == 0, done.stderr
    done = program("train", "resume=run", "trainer.max_epochs=2", cwd=cwd)
    assert done.returncode == 0, done.stderr
    return cwd / "run", MlflowClient(f"sqlite:///{cwd / 'outputs/mlflow.db'}")


def rows(folder):
    return list(csv.DictReader((folder / "metrics.csv").read_text().splitlines()))


def best(folder):
    figures = json.loads((folder / "evaluation/drive-val/metrics.json").read_text())["figures"]["model"]
    return figures["mean"]["dice"]


def test_tensorboard_says_the_figures_of_metrics_csv(tracked):
    run, _ = tracked
    events = EventAccumulator(str(run / "tensorboard"), size_guidance={"scalars": 0, "images": 0}).Reload()
    for name in FIGURES:
        found = [(event.step, event.value) for event in events.Scalars(name)]
        expected = [(int(row["step"]) - 1, float(row[name])) for row in rows(run)]
        assert found == [(step, pytest.approx(value)) for step, value in expected]
    assert events.Scalars("best/dice_per_image")[-1].value == pytest.approx(best(run))
    assert "best/dice_per_image_low" not in events.Tags()["scalars"]  # four images have no interval
    assert len(events.Scalars("grad_norm")) == 4
    pictures = events.Images("val/images/25")
    assert [(one.width, one.height) for one in pictures] == [(3 * 46, 48)] * 2


def test_mlflow_says_the_figures_of_metrics_csv_and_a_resumed_run_stays_one(tracked):
    run, client = tracked
    (found,) = client.search_runs([client.get_experiment_by_name("unet_lightning").experiment_id])
    run_id = (run / "mlflow-id").read_text().strip()
    assert (found.info.run_id, found.info.status) == (run_id, "FINISHED")
    assert (found.data.tags["group"], found.data.tags["job_type"]) == ("train", "train")
    assert found.data.params["model/base_c"] == "2"
    for name in FIGURES:
        history = [(one.step, one.value) for one in client.get_metric_history(run_id, name)]
        assert history == [(int(row["step"]) - 1, pytest.approx(float(row[name]))) for row in rows(run)]
    assert found.data.metrics["best/dice_per_image"] == pytest.approx(best(run))
    assert any(one.path == "protocol.json" for one in client.list_artifacts(run_id))
    assert len(client.list_artifacts(run_id, "images")) >= 8  # four photographs, two epochs


@pytest.mark.parametrize(("exit_code", "status"), [(0, "FINISHED"), (1, "FAILED"), (130, "KILLED"), (143, "KILLED")])
def test_mlflow_tells_how_a_run_ended(tracked, tmp_path, exit_code, status):
    run, client = tracked
    tracker = MLflowTracker(f"sqlite:///{run.parent / 'outputs/mlflow.db'}", experiment_name="ends")
    begin([tracker], about(tmp_path))
    assert client.get_run(tracker.run_id).info.status == "RUNNING"
    end([tracker], exit_code)
    assert client.get_run(tracker.run_id).info.status == status


def test_mlflow_takes_the_figures_of_a_class_of_any_name(tracked, tmp_path):
    run, client = tracked
    tracker = MLflowTracker(f"sqlite:///{run.parent / 'outputs/mlflow.db'}", experiment_name="classes")
    begin([tracker], about(tmp_path))
    names = ("val/dice_per_image", "val/disc/iou", "val/<b>/iou", "val/\u8840\u7ba1/iou")
    tracker.publish(Results(dict.fromkeys(names, 0.5), [], "val/per_image", [], {}), 0)
    end([tracker], 0)
    written = client.get_run(tracker.run_id).data.metrics
    assert len(written) == 4 and {"val/dice_per_image", "val/disc/iou"} < written.keys()


def test_a_run_that_mlflow_has_lost_is_named(tracked, tmp_path):
    run, _ = tracked
    (tmp_path / "mlflow-id").write_text("0" * 32)
    with pytest.raises(RunError, match=r"mlflow-id names the MLflow run 0+, which is not in sqlite"):
        begin([MLflowTracker(f"sqlite:///{run.parent / 'outputs/mlflow.db'}")], about(tmp_path))


def test_the_jobs_of_a_sweep_are_a_group(tmp_path):
    sweep = tmp_path / "2026-11-23_02-40-00"
    (sweep / "0").mkdir(parents=True)
    assert group_of(sweep / "0", "quick") == "quick"
    (sweep / "sweep.yaml").touch()
    assert group_of(sweep / "0", "quick") == group_of(sweep, "quick") == "quick/2026-11-23_02-40-00"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"mode": "dry"}, "one of online, offline, disabled, found dry"), ({"offline": True}, "say logger.wandb.mode")],
)
def test_wandb_refuses_what_it_does_not_know(arguments, message):
    with pytest.raises(ConfigError, match=message):
        WandbTracker(**arguments)


def test_a_logger_that_cannot_start_ends_with_the_way_out(tmp_path):
    class Broken(WandbTracker):
        def begin(self, about):
            raise OSError("no route\nto host")

    with pytest.raises(ConfigError, match="Broken cannot start: no route to host W&B works without a network"):
        begin([Broken(mode="disabled")], about(tmp_path))


def test_a_logger_that_cannot_end_does_not_keep_the_others_from_it(caplog):
    ended = []

    class Broken(WandbTracker):
        def end(self, exit_code):
            raise OSError("no route to host")

    class Good(WandbTracker):
        def end(self, exit_code):
            ended.append(exit_code)

    end([Broken(mode="disabled"), Good(mode="disabled")], 130)
    assert ended == [130]
    assert "Broken did not end well: no route to host" in caplog.text
