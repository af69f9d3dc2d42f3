"""A real Trainer and a real study; the network does nothing, its figure is given."""

import lightning as L
import optuna
import pytest
from lightning.pytorch.demos.boring_classes import BoringModel

from unet_lightning.errors import Pruned
from unet_lightning.specs import build
from unet_lightning.sweeps.jobs import callbacks_for
from unet_lightning.sweeps.record import Record
from unet_lightning.sweeps.search.space import parse
from unet_lightning.sweeps.search.study import begin_study

LOWER = {"_target_": "optuna.pruners.ThresholdPruner", "lower": 0.5}


class Known(BoringModel):
    """Has the figure `figures[epoch]`."""

    def __init__(self, figures):
        super().__init__()
        self.figures, self.epochs = figures, 0

    def on_train_epoch_end(self):
        self.epochs += 1

    def on_validation_epoch_end(self):
        self.log("val/dice_per_image", self.figures[self.current_epoch])


def study_of(folder, pruner=LOWER, storage=None, warmup=0):
    space = parse(["x=interval(0,1)"], {})
    search = {"study": "search", "storage": storage, "direction": "maximize", "monitor": "val/dice_per_image"}
    search |= {"pruner": pruner, "warmup": warmup}
    study = begin_study(search, folder)
    Record("quick", "..", "train", search=search).write(folder)
    return space, study


def fit(folder, figures, model=None):
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}
    quiet |= {
        "enable_checkpointing": False,
        "num_sanity_val_steps": 1,
        "limit_train_batches": 1,
        "limit_val_batches": 1,
    }
    pruning = build(callbacks_for(folder)["prune"], ())
    trainer = L.Trainer(max_epochs=len(figures), callbacks=[pruning] if pruning else [], **quiet)
    trainer.fit(model or Known(figures))
    return trainer


pytestmark = pytest.mark.filterwarnings(
    # BoringModel has no workers, as befits it.
    "ignore:The '.*_dataloader' does not have many workers"
)


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_trial_that_is_worse_ends_with_its_epoch(elsewhere, tmp_path):
    space, study = study_of(tmp_path, storage=f"sqlite:///{tmp_path}/all.db" if elsewhere else None)
    study.ask(space.swept)
    model = Known([0.6, 0.4, 0.9, 0.9])
    with pytest.raises(Pruned, match="after epoch 1"):
        fit(tmp_path / "0", model.figures, model)
    assert model.epochs == 2
    assert study.trials[0].intermediate_values == pytest.approx({0: 0.6, 1: 0.4})


def test_a_trial_as_good_as_the_others_ends_as_it_would(tmp_path):
    space, study = study_of(tmp_path)
    study.ask(space.swept)
    trainer = fit(tmp_path / "0", [0.6, 0.7, 0.8])
    assert trainer.current_epoch == 3 and list(study.trials[0].intermediate_values) == [0, 1, 2]


def test_after_the_last_epoch_nothing_is_pruned(tmp_path):
    space, study = study_of(tmp_path)
    study.ask(space.swept)
    fit(tmp_path / "0", [0.6, 0.4])
    assert list(study.trials[0].intermediate_values) == [0, 1]


def test_the_median_of_five_trials_prunes_after_the_warmup(tmp_path):
    space, study = study_of(tmp_path, pruner={"_target_": "optuna.pruners.MedianPruner"}, warmup=1)
    for number in range(5):
        trial = study.ask(space.swept)
        for epoch in range(3):
            trial.report(0.5 + 0.01 * number, epoch)
        study.tell(trial, 0.5)
    study.ask(space.swept)
    with pytest.raises(Pruned, match="after epoch 1"):
        fit(tmp_path / "5", [0.4, 0.4, 0.4])


def test_hyperband_prunes_too(tmp_path):
    space, study = study_of(tmp_path, pruner={"_target_": "optuna.pruners.HyperbandPruner"})
    pruned = 0
    for number in range(6):
        study.ask(space.swept)
        try:
            fit(tmp_path / str(number), [0.9 - 0.1 * number] * 5)
            study.tell(number, 0.9 - 0.1 * number)
        except Pruned:
            study.tell(number, state=optuna.trial.TrialState.PRUNED)
            pruned += 1
    assert pruned >= 1 and study.trials[0].state.name == "COMPLETE"


def test_a_run_that_goes_on_reports_an_epoch_once(tmp_path):
    space, study = study_of(tmp_path)
    study.ask(space.swept)
    fit(tmp_path / "0", [0.6, 0.7])
    fit(tmp_path / "0", [0.6, 0.7, 0.8])  # Optuna would warn of a second report
    assert list(study.trials[0].intermediate_values) == [0, 1, 2]


def test_a_finished_trial_that_is_trained_by_itself_is_left_alone(tmp_path):
    space, study = study_of(tmp_path)
    study.ask(space.swept)
    study.tell(0, 0.9)
    assert fit(tmp_path / "0", [0.1, 0.1]).current_epoch == 2


def test_outside_of_a_search_nothing_is_pruned(tmp_path):
    assert callbacks_for(tmp_path / "0") == {}
    study_of(tmp_path)
    assert callbacks_for(tmp_path / "mine") == {}


def test_a_study_that_cannot_be_read_does_not_end_a_training(tmp_path, caplog):
    study_of(tmp_path)
    (tmp_path / "study.journal").write_text("broken\n" * 10)
    assert fit(tmp_path / "0", [0.1, 0.1]).current_epoch == 2
    assert "is not compared with other trials: RunError" in caplog.text


def test_a_strangers_search_names_no_pruner_and_no_database(tmp_path, caplog, monkeypatch):
    study_of(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "other"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "other"))
    assert fit(tmp_path / "0", [0.1, 0.1]).current_epoch == 2
    assert "does not carry your signature" in caplog.text
