"""Views that a method declares (``Method.views``), as recipes: what they change of the augmentation that all share."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from fer_bench.errors import UserError
from fer_bench.protocols.protocol import Augment, Recipe
from fer_bench.protocols.reading import complaint


def own_views(views: dict[str, dict[str, Any]], recipe: Recipe) -> dict[str, Recipe]:
    """The recipe as each view sees it, by the view's name; "mirror" is no key of it. Raises UserError."""
    found = {}
    for name, changes in views.items():
        augment = recipe.augment.model_dump() | {key: value for key, value in changes.items() if key != "mirror"}
        try:
            found[name] = recipe.model_copy(update={"augment": Augment.model_validate(augment)})
        except ValidationError as error:
            raise UserError(f"view '{name}': {complaint(Augment, error)}") from None
        if name == "first" and changes.get("mirror"):
            raise UserError("view 'first': it is what the others mirror; take 'mirror' away")
    return found
