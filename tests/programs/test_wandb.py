"""The offline run file is read back: what W&B would show is what was written."""

import json
import struct

from conftest import TINY_RUN
from wandb.proto.wandb_internal_pb2 import Record

HEADER, BLOCK, RECORD = 7, 32 * 1024, struct.Struct("<IHB")  # of the file; of a record: checksum, length, kind


def read(path):
    """The records of a .wandb file: a LevelDB log, whose records are split where a block ends."""
    data, at, parts = path.read_bytes(), HEADER, b""
    while at + RECORD.size <= len(data):
        if BLOCK - at % BLOCK < RECORD.size:  # the rest of a block is padding
            at += BLOCK - at % BLOCK
            continue
        _, length, kind = RECORD.unpack_from(data, at)
        parts += data[at + RECORD.size : at + RECORD.size + length]
        at += RECORD.size + length
        if kind in (1, 4):  # whole, or the last part
            record = Record()
            record.ParseFromString(parts)
            parts = b""
            yield record


def runs(folder):
    return [list(read(path)) for path in sorted(folder.glob("**/*.wandb"))]


def config_of(records):
    return {
        update.key: json.loads(update.value_json)
        for record in records
        for update in [*record.run.config.update, *record.config.update]
    }


def exit_codes(records):
    return [record.exit.exit_code for record in records if record.WhichOneof("record_type") == "exit"]


def test_each_job_of_a_sweep_is_an_offline_run_with_its_config_history_and_exit_code(program, tmp_path):
    settings = [*TINY_RUN, "logger=wandb", "logger.wandb.mode=offline", "trainer.log_every_n_steps=1"]
    done = program("train", "-m", *settings, "hydra.sweep.dir=sweep", "model.bilinear=true,false", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for job, bilinear in (("0", True), ("1", False)):
        (records,) = runs(tmp_path / "sweep" / job)
        assert config_of(records)["model"]["bilinear"] is bilinear
        keys = {"/".join(i.nested_key) or i.key for r in records for i in r.history.item}
        assert keys >= {"train/loss", "val/loss", "val/dice_per_image", "lr", "trainer/global_step"}
        assert exit_codes(records) == [0]
        assert {r.run.run_group for r in records if r.HasField("run")} == {"train"}


def test_a_run_that_fails_is_recorded_as_failed(program, tmp_path):
    settings = [*TINY_RUN, "logger=wandb", "logger.wandb.mode=offline", "hydra.run.dir=run"]
    # The schedule is built when training begins.
    done = program("train", *settings, "scheduler.warmup=2", cwd=tmp_path)
    assert done.returncode == 1
    assert "scheduler.warmup must be from 0 to 1" in done.stderr
    (records,) = runs(tmp_path / "run")
    assert exit_codes(records) == [1]


def test_without_an_account_the_way_out_is_named(program, tmp_path):
    environment = {"HOME": str(tmp_path), "NETRC": str(tmp_path / "netrc")}
    done = program("train", *TINY_RUN, "logger=wandb", "hydra.run.dir=run", cwd=tmp_path, **environment)
    assert done.returncode == 1
    assert "logger.wandb.mode=offline" in done.stderr
    assert "Traceback" not in done.stderr
