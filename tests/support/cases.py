"""Every registered method with its hyper-parameters, and those that need others to show all they do in a tiny run."""

from fer_bench.registry import load_class, methods

INFOS, PROBLEMS = methods()
DEFAULTS = {name: {key: p.default for key, p in info.parameters.items()} for name, info in INFOS.items()}
CASES = {name: (load_class(info), DEFAULTS[name]) for name, info in INFOS.items()}
for scope in ("all", "low"):  # relabelling within the three epochs of the tiny runs
    changes = {"relabel_epoch": 1, "margin_2": 0.05, "relabel_scope": scope}
    CASES[f"scn-early-{scope}"] = (CASES["scn"][0], {**DEFAULTS["scn"], **changes})
CASES["crt-early"] = (CASES["crt"][0], {**DEFAULTS["crt"], "start": 0.34})  # its second stage in the third epoch
CASES["dividemix-ramp"] = (CASES["dividemix"][0], {**DEFAULTS["dividemix"], "warmup": 0.0, "ramp": 0.5})
