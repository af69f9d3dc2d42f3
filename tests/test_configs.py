from pathlib import Path

import pytest
import yaml
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from unet_lightning.data import chase_db1, drive, hrf
from unet_lightning.program import CONF, trust_command_line
from unet_lightning.request import register_resolver
from unet_lightning.training.auto import follow_data
from unet_lightning.training.build import build_data, build_task, build_trainer

GROUPS = {
    group: sorted(path.stem for path in Path(CONF, group).glob("*.yaml"))
    for group in ("data", "data/augment", "model", "loss", "optimizer", "scheduler", "trainer", "callbacks", "logger")
}
CHOICES = [(group, name) for group, names in GROUPS.items() for name in names if name != "as_trained"]
EXPERIMENTS = sorted(path.stem for path in Path(CONF, "experiment").glob("*.yaml"))


register_resolver()


def composed(*overrides, folder):
    with initialize_config_dir(CONF, version_base="1.3"):
        cfg = compose("train", overrides=[*overrides, f"hydra.runtime.output_dir={folder}"], return_hydra_config=True)
        HydraConfig.instance().set_config(cfg)
        del cfg.hydra
        config = OmegaConf.to_container(cfg, resolve=True)
        trust_command_line(config)
    return config


@pytest.mark.parametrize(("group", "name"), CHOICES)
def test_every_choice_composes_and_builds(group, name, tmp_path, tiny_drive, monkeypatch):
    monkeypatch.setenv("DRIVE_ROOT", str(tiny_drive))
    monkeypatch.chdir(tmp_path)  # some loggers have a file below the present folder
    config = composed(f"{group}={name}", "data.batch_size=2", folder=tmp_path)
    section = group.split("/")[0]
    if section == "data":
        assert build_data(config).batch_size == 2
    elif section in ("model", "loss", "optimizer", "scheduler"):
        assert build_task(follow_data(config, build_data(config).photographs("train"))).network is not None
    elif name in ("gpu", "ddp"):
        pytest.skip("needs a GPU to be built")
    else:
        if "wandb" in config["logger"]:
            config["logger"]["wandb"]["mode"] = "disabled"
        assert build_trainer(config, tmp_path).max_epochs == config["trainer"]["max_epochs"]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_composes_under_its_own_name(name, tmp_path):
    assert composed(f"experiment={name}", folder=tmp_path)["name"] == name


@pytest.mark.parametrize("path", sorted(Path(CONF).rglob("*.yaml")), ids=lambda path: str(path.relative_to(CONF)))
def test_every_file_begins_with_what_it_is_for(path):
    assert path.read_text().startswith("# ")


def test_the_tutorial_recipe_is_the_one_of_the_tutorial(tmp_path):
    config = composed("experiment=tutorial", folder=tmp_path)
    assert config["optimizer"] | {"_target_": 0} == {"_target_": 0, "lr": 0.01, "momentum": 0.9, "weight_decay": 1e-4}
    assert config["scheduler"]["power"] == 0.9
    assert config["loss"]["terms"]["cross_entropy"]["class_weights"] == [1.0, 2.0]
    assert config["loss"]["weights"] == {"cross_entropy": 1.0, "dice": 1.0}
    assert (config["model"]["base_c"], config["model"]["bilinear"]) == (32, True)
    assert (config["data"]["batch_size"], config["data"]["repeats"], config["trainer"]["max_epochs"]) == (4, 1, 200)
    augment = config["data"]["augment"]
    assert (augment["min_size"], augment["max_size"], augment["crop"]) == (282, 678, 480)


@pytest.mark.parametrize("name", ["drive", "chase_db1", "stare", "hrf"])
def test_the_validation_ids_are_text(name):
    # Written without quotes, 08 would be text and 24 a number.
    ids = yaml.safe_load(Path(CONF, f"data/{name}.yaml").read_text())["val_ids"]
    assert ids and all(isinstance(i, str) for i in ids)


@pytest.mark.parametrize(
    ("name", "train"), [("drive", drive.TRAIN), ("chase_db1", chase_db1.TRAIN), ("hrf", hrf.TRAIN)]
)
def test_a_fifth_of_the_training_images_validates(name, train, tmp_path):
    ids = composed(f"data={name}", folder=tmp_path)["data"]["val_ids"]
    assert set(ids) < {str(image_id) for image_id in train} and len(ids) == len(train) / 5
