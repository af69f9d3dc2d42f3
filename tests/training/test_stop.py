import os
import signal
from types import SimpleNamespace

import pytest
import torch

from unet_lightning.errors import Stopped
from unet_lightning.training.stop import SafeStop

ALONE = SimpleNamespace(world_size=1)


@pytest.fixture
def stop():
    return SafeStop(forward=[].append)


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGUSR2, 140)])
def test_outside_of_training_a_signal_ends_the_run_at_once(stop, signum, code):
    with pytest.raises(Stopped) as ended, stop.listen():
        os.kill(os.getpid(), signum)
    assert ended.value.exit_code == code


def test_in_training_the_batch_is_finished(stop):
    with pytest.raises(Stopped), stop.listen():
        stop.training = True
        os.kill(os.getpid(), signal.SIGTERM)
        finished = True
        stop.on_train_batch_end(ALONE, None, None, None, 0)
    assert finished


def test_a_second_signal_does_not_wait(stop):
    with pytest.raises(Stopped) as ended, stop.listen():
        stop.training = True
        os.kill(os.getpid(), signal.SIGTERM)
        stop.when -= 2  # seconds ago
        os.kill(os.getpid(), signal.SIGINT)
    assert ended.value.signum == signal.SIGINT


def test_handlers_are_given_back(stop):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR2)]
    with stop.listen():
        assert signal.getsignal(signal.SIGTERM) != before[1]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR2)] == before


def test_a_requeue_signal_that_somebody_handles_is_left_to_them(stop):
    def requeue(signum, frame):
        pass

    before = signal.signal(signal.SIGUSR2, requeue)
    try:
        with stop.listen():
            assert signal.getsignal(signal.SIGUSR2) is requeue
    finally:
        signal.signal(signal.SIGUSR2, before)


@pytest.mark.parametrize(("processes", "becomes"), [(1, RuntimeError), (2, Stopped)])
def test_a_fault_after_a_signal_is_the_signals_where_another_process_may_have_stopped_first(stop, processes, becomes):
    with pytest.raises(becomes), stop.listen(), stop.named(SimpleNamespace(world_size=processes)):
        stop.training = True
        os.kill(os.getpid(), signal.SIGTERM)
        raise RuntimeError("Connection closed by peer")


def test_a_fault_without_a_signal_stays_one(stop):
    with pytest.raises(RuntimeError), stop.listen():
        raise RuntimeError


def test_the_other_processes_hear_of_it():
    told = []
    stop = SafeStop(told.append)
    with pytest.raises(Stopped), stop.listen():
        os.kill(os.getpid(), signal.SIGTERM)
    assert told == [signal.SIGTERM]


def test_one_ctrl_c_that_comes_twice_is_one(stop):
    with pytest.raises(Stopped), stop.listen():
        stop.training = True
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        stop.on_train_batch_end(ALONE, None, None, None, 0)


def test_a_rank_stops_where_another_was_told():
    stop = SafeStop([].append)
    decided = SimpleNamespace(root_device=torch.device("cpu"), reduce_boolean_decision=lambda told, all: True)
    with pytest.raises(Stopped):
        stop.on_train_batch_end(SimpleNamespace(world_size=2, strategy=decided), None, None, None, 3)
