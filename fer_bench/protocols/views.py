"""Views that a method declares (``Method.views``), as recipes: what they change of the augmentation that all share."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from fer_bench.errors import UserError
from fer_bench.protocols.protocol import Augment, Recipe
from fer_bench.protocols.reading import complaint


def own_views(views: dict[str, dict[str, Any]], recipe: Recipe) -> dict[str, Recipe]:
    """The recipe as each view sees it, by the view's name; "mirror" is no key of it. Raises UserError."""
    if not isinstance(views, dict):
        raise UserError(f"views: found {views!r}, expected names and what each view changes")
    found = {name: _changed(name, changes, recipe) for name, changes in views.items()}
    for name in found:
        if views[name].get("mirror") and name == "first":
            raise UserError("view 'first': it is what the others mirror; take 'mirror' away")
        turned = found[name].augment.randaugment or found.get("first", recipe).augment.randaugment
        if views[name].get("mirror") and turned:
            raise UserError(f"view '{name}': RandAugment turns and shears, so that no view is the mirror image of "
                            "another; set augment.randaugment to 0")
    return found


def _changed(name: str, changes: dict[str, Any], recipe: Recipe) -> Recipe:
    """The recipe with what one view changes of its augmentation."""
    if not isinstance(changes, dict) or not isinstance(name, str):
        raise UserError(f"view {name!r}: found {changes!r}, expected a name, and keys of 'augment' with their values")
    if not isinstance(changes.get("mirror", False), bool):
        raise UserError(f"view '{name}': mirror: found {changes['mirror']!r}, expected True or False")
    augment = recipe.augment.model_dump() | {key: value for key, value in changes.items() if key != "mirror"}
    try:
        return recipe.model_copy(update={"augment": Augment.model_validate(augment)})
    except ValidationError as error:
        raise UserError(f"view '{name}': {complaint(Augment, error)}") from None


def overridden(key: str, views: dict[str, dict[str, Any]]) -> bool:
    """Whether a key of the recipe's `augment` has no effect on a method, since each view has a value of its own."""
    return "first" in views and all(key in changes for changes in views.values())
