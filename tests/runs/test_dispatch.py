"""How local processes end."""

import os
import signal
import time

import pytest

from fer_bench.runs.dispatch import cores, stop_on_terminate


@pytest.fixture
def usual_sigterm():
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def test_a_kill_ends_like_ctrl_c(usual_sigterm):
    stop_on_terminate()
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(1)


def test_cores_are_those_this_process_may_use():
    assert 1 <= cores() <= (os.cpu_count() or 1)
