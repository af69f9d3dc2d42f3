import logging
import re

import optuna
import pytest

from unet_lightning.sweeps.search.space import parse
from unet_lightning.sweeps.search.summary import best_trial, command, say, write_page

SPACE = parse(["experiment=quick", "sweep=optuna", "lr=tag(log,interval(1e-4,1e-2))", "c=8,16"], {})


def study_of(values, pruned=0, failed=0):
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    for value in values:
        trial = study.ask(SPACE.swept)
        trial.report(value / 2, 0)
        study.tell(trial, value)
    for _ in range(pruned):
        study.tell(study.ask(SPACE.swept), state=optuna.trial.TrialState.PRUNED)
    for _ in range(failed):
        trial = study.ask(SPACE.swept)
        trial.set_user_attr("error", "No <mask> for image 21.")
        study.tell(trial, state=optuna.trial.TrialState.FAIL)
    return study


def page_of(study, folder):
    write_page(study, SPACE, "val/dice_per_image", folder)
    return (folder / "search.html").read_text()


def test_the_page_carries_its_plots_and_the_library_once(tmp_path):
    page = page_of(study_of([0.5, 0.8, 0.7, 0.6], pruned=1, failed=1), tmp_path)
    titles = re.findall(r"<h2>(.*?)</h2>", page)
    assert titles == [
        "Best: trial 1, val/dice_per_image 0.8000",
        "History",
        "Importance",
        "Parallel coordinates",
        "Slices",
        "Validation figures by epoch",
        "Trials",
    ]
    assert page.count("plotly.js v") == 1 and not re.search(r"<(script|link)[^>]+(src|href)=", page)
    assert page.count("Plotly.newPlot(") == 5
    assert "No &lt;mask&gt; for image 21." in page and "4 complete, 1 pruned, 1 failed" in page


@pytest.mark.parametrize("values", [[], [0.5], [0.5, 0.5, 0.5]])
def test_importance_is_left_out_where_trials_do_not_tell(values, tmp_path):
    study = study_of(values, failed=1)
    page = page_of(study, tmp_path)
    assert "<h2>Importance</h2>" not in page
    assert ("<h2>History</h2>" in page) == bool(values)


def test_the_best_trial_can_be_trained_by_itself():
    study = study_of([0.5, 0.8, 0.7])
    assert best_trial(study).number == 1
    values = {"lr": 1e-3, "c": 16}
    assert command(SPACE, values) == "python -m unet_lightning.train experiment=quick lr=0.001 c=16"
    quoted = parse(["a=choice('x y')"], {})
    assert command(quoted, {"a": "'x y'"}) == """python -m unet_lightning.train 'a='"'"'x y'"'"''"""


def test_the_end_of_a_search_says_what_came_out(caplog):
    with caplog.at_level(logging.INFO):
        say(study_of([0.5, 0.8], pruned=1), SPACE, "val/dice_per_image")
        say(study_of([], failed=2), SPACE, "val/dice_per_image")
    assert "3 trials: 2 complete, 1 pruned" in caplog.text
    assert "Best: trial 1, val/dice_per_image 0.8000" in caplog.text
    assert "2 trials: 2 failed" in caplog.text and "No trial was completed" in caplog.text
