"""What is said of rare classes, by whole programs."""

import yaml
from conftest import TINY_RUN


def loss_of(folder):
    return yaml.safe_load((folder / "config.yaml").read_text())["loss"]


def test_class_weights_come_from_the_training_labels_and_are_numbers_from_then_on(program, tmp_path):
    place = [*TINY_RUN, "trainer.max_epochs=1", f"hydra.run.dir={tmp_path}/run", "resume=auto"]
    done = program("train", *place, "loss.class_weights=auto", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "loss.class_weights from the training labels: background 1, vessel " in done.stdout
    weights = loss_of(tmp_path / "run")["class_weights"]
    assert weights[0] == 1 and 1.5 < weights[1] < 5
    # The same command finds the run, whose numbers are no other configuration.
    done = program("train", *place, "loss.class_weights=auto", cwd=tmp_path)
    assert (done.returncode, "is done already" in done.stdout) == (0, True), done.stderr
    # Repeated on other images the numbers are found anew.
    values = ["hydra.run.dir=other", 'data.val_ids=["21","22"]']
    done = program("train", "rerun=run", *values, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert loss_of(tmp_path / "other")["class_weights"] != weights
