"""Datasets read with a cache of their own, and refused in one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fer_bench.data.catalog import ask
from fer_bench.data.opening import open_dataset
from fer_bench.data.pack import Pack
from fer_bench.errors import UserError


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Pack]:
    """read(name, root, option=value): the pack, with a cache of its own."""
    def call(name: str, root: Path, **options: str) -> Pack:
        return open_dataset(ask(name, root, options), tmp_path / "cache")
    return call


@pytest.fixture
def refuse(read) -> Callable[..., str]:
    """refuse(name, root, option=value): the one line."""
    def call(name: str, root: Path, **options: str) -> str:
        with pytest.raises(UserError) as error:
            read(name, root, **options)
        assert "\n" not in str(error.value)
        return str(error.value)
    return call
