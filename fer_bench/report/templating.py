"""Jinja2 as all pages use it: all text escaped, style and script from files beside the templates put in as they are."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

TEMPLATES = Path(__file__).with_name("templates")


def inline(name: str) -> Markup:
    """A file of the templates folder, not escaped: it is ours, and holds nothing of a user's."""
    return Markup((TEMPLATES / name).read_text(encoding="utf-8"))


ENVIRONMENT = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined,
                          trim_blocks=True, lstrip_blocks=True)
ENVIRONMENT.globals["inline"] = inline
