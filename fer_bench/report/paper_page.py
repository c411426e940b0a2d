"""docs/paper-recipes.md: how the source of each method trains it, and where each value stands."""

from __future__ import annotations

from collections.abc import Sequence

from fer_bench.library.paper import NOTES, Entry, classes, entries, without
from fer_bench.library.source import MethodInfo

HEAD = """# Track `paper`

How each method's authors train it, made from `methods/` by `python run_bench.py list methods --paper --markdown`; edit
those, not this page. With `--track paper` a method's values replace those of the recipe, which then is `paper`
(ResNet-18, 224 px) on every dataset unless `--recipe` names another; `--set-recipe` and `--set` have the last word.
Network, image size and precision stay the recipe's: these sources train a ResNet-18 at 224 px, in fp32, which is
`--precision fp32` here. The weights to begin with are yours to give (`--weights`).

A star marks what no source states: ours. *heads*: the rate of classifiers, in multiples of the rate. "x0.1 after 10
epochs": a tenth of the first rate from the eleventh epoch on. What the augmentations do: [protocols.md](protocols.md).
Keys are those of `--set-recipe`; `--set` marks hyper-parameters. A method's own views come on top
([methods.md](methods.md)).
"""
COLUMNS = {
    "optimiser": ("optimiser", "momentum"), "rate": ("lr",), "heads": ("head_lr",),
    "schedule": ("schedule", "gamma", "milestones", "head_milestones"), "decay": ("weight_decay",),
    "batch": ("batch_size",), "epochs": ("epochs",), "clip": ("clip_grad_norm",),
    "augmentation": ("noise", "crop", "flip", "randaugment", "magnitude", "shift", "erase", "erase_scale"),
}
BARE = ("optimiser", "lr", "head_lr", "schedule", "weight_decay", "batch_size", "epochs", "clip_grad_norm")


def page(infos: Sequence[MethodInfo]) -> str:
    """The whole page: one table of all, then each value with its source, then who has none."""
    stated = [group for group in classes(infos) if group[0].paper_recipe]
    lines = [HEAD, f"| method | {' | '.join(COLUMNS)} |", "|---" * (len(COLUMNS) + 1) + "|"]
    lines += [overview(group[0]) for group in stated]
    for group in stated:
        lines += section(group)
    lines += ["", "## By the recipe alone", "", "The sources of these have no recipe for faces (theirs are for CIFAR, "
              f"ImageNet and the like), so track `paper` trains them by the recipe: {', '.join(without(infos))}."]
    return "\n".join(lines) + "\n"


def overview(info: MethodInfo) -> str:
    """One method's row of the table of all."""
    found = {entry.key.split(".")[-1]: entry for entry in entries(info) if entry.option == "--set-recipe"}
    cells = ["; ".join(short(key, found[key]) for key in keys if key in found) or "--" for keys in COLUMNS.values()]
    return f"| [{info.name}](#{info.name}) | {' | '.join(cells)} |"


def short(key: str, entry: Entry) -> str:
    """A value in the table of all, with its name where the column does not say it."""
    named = entry.value if key in BARE else f"{key.replace('head_milestones', 'heads')} {entry.value}"
    return named.removeprefix("milestones ") + ("*" if entry.ours else "")


def section(group: Sequence[MethodInfo]) -> list[str]:
    """One class: its names, what its lines are of, and each value with its source."""
    info = group[0]
    also = f"Also {', '.join(other.name for other in group[1:])}. " if group[1:] else ""
    notes = [f"{word.capitalize()}: {info.paper_sources[key]}." for key, word in NOTES.items()
             if key in info.paper_sources]
    lines = ["", f"## {info.name}", "", f"{info.paper}. {also}{' '.join(notes)}", "", "| key | value | source |",
             "|---|---|---|"]
    return lines + [f"| `{'--set ' * (e.option == '--set')}{e.key}` | {e.value}{'*' if e.ours else ''} | {e.source} |"
                    for e in entries(info)]
