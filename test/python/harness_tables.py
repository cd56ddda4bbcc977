"""Writes ../fixtures/reference/harness-tables.json: results and the Markdown that lm_eval's own make_table prints of them.

    pip install lm_eval pytablewriter && python harness_tables.py
"""
import json
import random
from pathlib import Path

from lm_eval.utils import make_table

random.seed(5)
UP = {"acc": True, "acc_norm": True, "perplexity": False, "word_perplexity": False, "byte_perplexity": False,
      "bits_per_byte": False}


def task(name, figures, alias=None):
    out = dict(name=name, alias=alias or name, sample_len=40)
    for metric, (value, stderr) in figures.items():
        out |= {f"{metric},none": value, f"{metric}_stderr,none": stderr}
    return name, out


def case(tasks, groups=(), members=None, shots=0):
    results, found = dict(tasks), dict(groups)
    names = [*results, *found]
    return dict(
        group_subtasks=members or {},
        versions={name: 2.0 if name in found or name == "boolq" else 1.0 for name in names},
        higher_is_better={name: UP for name in names},
        models=[dict(results=results, groups=found)],
    ) | {"n-shot": {name: shots for name in names}}


arc = task("arc_easy", dict(acc=(0.475, 0.07996), acc_norm=(0.4, 0.078446)))
wikitext = task("wikitext", dict(word_perplexity=(32.64503, "N/A"), byte_perplexity=(1.962776, "N/A"),
                                 bits_per_byte=(0.9728956, "N/A")))
lambada = task("lambada_openai", dict(perplexity=(336.52441, 218.73104), acc=(0.075, 0.04217637)))
subjects = [task(f"mmlu_{n}", dict(acc=(random.random(), random.random() / 9)), n)
            for n in ("anatomy", "machine_learning", "marketing", "virology")]
groups = [task("mmlu", dict(acc=(0.25, 0.03))), task("mmlu_stem", dict(acc=(0.26, 0.031)), "stem"),
          task("mmlu_other", dict(acc=(0.245, 0.0298)), "other")]
members = dict(mmlu=["mmlu_stem", "mmlu_other"], mmlu_stem=["mmlu_machine_learning", "mmlu_anatomy"],
               mmlu_other=["mmlu_virology", "mmlu_marketing"])

cases = [
    case([arc]),
    case([wikitext]),
    case([arc, wikitext, lambada], shots=25),
    case([arc, *subjects], groups, members, shots=5),
    case([task("boolq", dict(acc=(1.0, 0.0)))]),
    case([task("boolq", dict(acc=(1.0, 0.0))), arc]),
    case([task("boolq", dict(acc=(0.0, "N/A"))), task("piqa", dict(acc=(0.5, 0.0)))]),
    case([task("piqa", dict(acc=(0.5, 2.0))), task("t", dict(acc=(0.5, "N/A"), perplexity=(33.19, 1.5)))]),
    case([task("a", dict(acc=(0.5, "N/A"))), task("t", dict(acc=(0.5, 0.075), perplexity=(33.19, 33.19)))]),
    case([task("lambada_openai", dict(perplexity=(12345678.90123, 1234.5))), arc]),
    case([task(f"t{i}", dict(acc=(round(random.random(), i % 5), random.random() / 9))) for i in range(12)]),
]
rows = []
for given in cases:
    results, found = given["models"][0]["results"], given["models"][0]["groups"]
    whole = dict(given, results=results | found, groups=found)
    tables = [make_table(whole), *([make_table(whole, "groups")] if found else [])]
    rows.append(dict(given=given, table="\n\n".join(table.rstrip("\n") for table in tables)))
out = Path(__file__).parent.parent / "fixtures" / "reference" / "harness-tables.json"
out.write_text(json.dumps(rows, ensure_ascii=False) + "\n")
