"""docs/methods.md: what is known of every method, from its source, the published numbers and the records."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from fer_bench.library.numbers import short
from fer_bench.library.source import MethodInfo, Parameter
from fer_bench.tables.model import Record
from fer_bench.tables.published import Published, without_numbers
from fer_bench.tables.stats import mean
from fer_bench.tables.text import views_in_words

HEAD = """# Methods

Made from the sources in `methods/`, `results/published.csv` (verified rows only) and the records in
`results/drawn-faces` by `python run_bench.py list methods --markdown --results results/drawn-faces`; edit those, not
this page.

*Passes*: what training costs for each face, in forward passes of one network, heads included; records and tables add
those of an epoch's sweeps over the training set, two for each face where two networks look at it. *Published*: accuracy
in percent, with other networks, noise draws and choices of epoch: context, no target. *Here*: on the synthetic faces
with the quick recipe, last epoch, mean over seeds.
"""
LEFT_OUT = """
## Left out

**LDLVA** (Le et al., WACV 2023). Its label distributions come from each face's 8 nearest neighbours in valence and
arousal, which another network must estimate for every face beforehand. No dataset here carries such estimates, and a
method sees only faces and given labels. Neighbours in its own features would be another method under the same name.

**ASM** (2023), **rebalanced consistency** (Zhu et al., 2025) and **UNICON** (CVPR 2022): docs/decisions.md says what
could be read of them and what is missing. Class-balanced sampling with decoupling (Kang et al., ICLR 2020) is `crt`.
"""
NOISE = ("noise40", "overall", "40 % wrong labels")
IMBALANCE = ("imb100", "mean", "imbalance factor 100, mean accuracy")
PURPOSES = {  # family, or method: protocol, metric, in words
    "noise": NOISE, "imbalance": IMBALANCE, "fer": ("noise30", "overall", "30 % wrong labels"),
    "votes": ("clean", "overall", "labels as they are"),
    "mek": IMBALANCE, "mek-rac": IMBALANCE, "mek-rsl": IMBALANCE,
}


def page(infos: Sequence[MethodInfo], published: Sequence[Published], records: Sequence[Record]) -> str:
    """The whole page, one section for each file of methods, by family."""
    order = ("baseline", "noise", "imbalance", "fer", "votes")
    files = [list(group) for _, group in groupby(sorted(infos, key=lambda info: str(info.file)), lambda i: i.file)]
    files.sort(key=lambda group: (order.index(group[0].family) if group[0].family in order else 9, group[0].name))
    return HEAD + "".join(section(group, published, records) for group in files) + LEFT_OUT


def section(infos: Sequence[MethodInfo], published: Sequence[Published], records: Sequence[Record]) -> str:
    """One file of methods: each class's own name first, then its variants."""
    main = infos[0]
    first: dict[str, MethodInfo] = {}
    lines = [f"\n## {', '.join(info.name for info in infos)}", "", f"{main.paper}; family {main.family}.", "",
             "```text", main.doc.strip(), "```", "",
             "| name | needs | passes | hyper-parameters |", "|---|---|---|---|"]
    for info in infos:
        base = first.setdefault(info.class_name, info)  # a file may hold several classes
        values = settings(info.parameters) if info is base else (
            f"as {base.name}, but {settings(changed(info, base))}")
        lines.append(f"| {info.name} | {', '.join(info.needs) or '--'} | {info.passes:g} | {values} |")
    for base in first.values():
        whose = "" if len(first) == 1 else f", {base.name}"
        if base.views:
            lines += ["", f"Views of its own{whose}, beyond the recipe's augmentation: {views_in_words(base.views)}."]
        if base.paper_recipe:
            lines += ["", f"How its source trains it (`--track paper`{whose}): "
                      f"[paper-recipes.md](paper-recipes.md#{base.name})."]
    for info in infos:
        lines += numbers_elsewhere(info, published) + numbers_here(info, records)
    unread = without_numbers([info.name for info in infos if info.family == "fer"], published)
    if published and unread:
        lines += ["", f"Of {', '.join(unread)} no published number could be read in a primary source; "
                  "[tables.md](tables.md#published-numbers) says how to add one."]
    return "\n".join(lines) + "\n"


def changed(info: MethodInfo, base: MethodInfo) -> dict[str, Parameter]:
    """The hyper-parameters in which a variant differs from the first name of its class."""
    return {name: p for name, p in info.parameters.items() if p.default != base.parameters[name].default}


def settings(parameters: dict[str, Parameter]) -> str:
    """Names and defaults in one line."""
    return ", ".join(f"`{name}={short(p.default)}`" for name, p in parameters.items()) or "none"


def numbers_elsewhere(info: MethodInfo, published: Sequence[Published]) -> list[str]:
    """Published numbers of a method, by source."""
    own = [row for row in published if row.label == info.name]
    lines = []
    for source, rows in groupby(sorted(own, key=lambda row: row.source), lambda row: row.source):
        found = "; ".join(f"{r.dataset} {r.protocol} {r.metric} {100 * r.value:.2f} ({r.backbone})" for r in rows)
        lines += ["", f"Published, {info.name}: {found}. Read in: {source}."]
    return lines


def numbers_here(info: MethodInfo, records: Sequence[Record]) -> list[str]:
    """What a method does for what it is for, beside cross-entropy; nothing without records of both."""
    protocol, metric, words = PURPOSES.get(info.name, PURPOSES.get(info.family, ("", "", "")))
    own, base = (by_seed(records, name, protocol, metric) for name in (info.name, "ce"))
    seeds = sorted(own.keys() & base.keys())
    if not seeds:
        return []
    mine, its = (mean([numbers[seed] for seed in seeds]) for numbers in (own, base))
    better = sum(own[seed] > base[seed] for seed in seeds)
    verdict = "" if mine > its else " **It does not help here.**"
    return ["", f"Here, {info.name}, {words}: {100 * mine:.2f} against {100 * its:.2f} of ce, better in {better} of "
            f"{len(seeds)} seeds.{verdict}"]


def by_seed(records: Sequence[Record], label: str, protocol: str, metric: str) -> dict[int, float]:
    """seed -> the last epoch's number of a method under a protocol on the synthetic faces."""
    return {record["spec"]["seed"]: record["result"]["last"][metric] for record in records
            if (record["label"], record["spec"]["protocol"]["name"], record["spec"]["dataset"]["name"])
            == (label, protocol, "synthetic")}
