"""Ranks that srun or torchrun has started share a folder, or do not begin."""

import pytest
from conftest import TINY_RUN


@pytest.mark.parametrize(
    "started",
    [
        {"TORCHELASTIC_RUN_ID": "none", "WORLD_SIZE": "2", "RANK": "1"},
        {"SLURM_PROCID": "1", "SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "2"},
    ],
)
def test_ranks_without_a_folder_that_they_share_are_refused(in_process, tmp_path, monkeypatch, started):
    for name, value in started.items():
        monkeypatch.setenv(name, value)
    assert "hydra.run.dir" in in_process("train", *TINY_RUN[1:], "trainer=ddp_cpu", "resume=auto")
    assert "without srun or torchrun" in in_process("train", "-m", *TINY_RUN, "seed=0,1", "hydra.run.dir=run")
    assert list(tmp_path.iterdir()) == []
