"""Data sets as the Hugging Face hub has them, and what Python's tools make of them.

    data_sets.py make FOLDER                 writes the repositories of the tasks' data sets to FOLDER/OWNER/NAME: the documents of
                                             test/fixtures/evaluation/data in the files and columns that the hub's have
    data_sets.py requests SHOTS TASK...      prints what lm_eval asks a model for these tasks, with so many examples; it fetches
                                             their data sets from HF_ENDPOINT
    data_sets.py offline REPOSITORY...       prints the rows that the datasets library counts in each split of what a cache holds
"""

import json
import sys
from pathlib import Path

fixtures = Path(__file__).parent.parent / "fixtures/evaluation/data"

# Of each configuration: its folder, and its splits with their files; `{}` is the number of a part.
shard = "{split}-{part:05d}-of-{parts:05d}.parquet"
layouts = {
    "Rowan/hellaswag": {"default": ("hellaswag/validation", "data/" + shard, {"validation": 2, "train": 1})},
    "allenai/ai2_arc": {
        "ARC-Easy": ("arc_easy/test-00000-of-00001", "ARC-Easy/" + shard, {"test": 1, "train": 1}),
        "ARC-Challenge": ("arc_challenge/test", "ARC-Challenge/" + shard, {"test": 1, "train": 1}),
    },
    "aps/super_glue": {"boolq": ("boolq/validation", "boolq/" + shard, {"validation": 1, "train": 1})},
    "baber/piqa": {None: ("piqa/validation", "piqa_{split}.parquet", {"validation": 1, "train": 1})},
    "allenai/winogrande": {
        "winogrande_xl": ("winogrande/validation", "winogrande_xl/" + shard, {"validation": 1, "train": 1})
    },
    "allenai/openbookqa": {"main": ("openbookqa/test", "main/" + shard, {"test": 1, "train": 1})},
    "EleutherAI/lambada_openai": {"default": ("lambada_openai/test", "default/{split}/{part:04d}.parquet", {"test": 1})},
    "EleutherAI/wikitext_document_level": {
        "wikitext-2-raw-v1": ("wikitext/test", "wikitext-2-raw-v1/wikitext-2-raw-v1-{split}.parquet", {"test": 1, "train": 1})
    },
    "cais/mmlu": {
        subject: (f"mmlu/{subject}/test", subject + "/" + shard, {"test": 1, "dev": 1})
        for subject in ("machine_learning", "high_school_physics")
    },
}


def documents(name):
    path = fixtures / name
    if path.with_suffix(".parquet").exists():
        import pyarrow.parquet

        return pyarrow.parquet.read_table(path.with_suffix(".parquet")).to_pylist()
    return [json.loads(line) for line in path.with_suffix(".jsonl").read_text().splitlines()]


def make(folder):
    import pyarrow
    import pyarrow.parquet

    for repository, configurations in layouts.items():
        home = folder / repository
        card = ["---", "configs:"]
        for configuration, (source, place, splits) in configurations.items():
            card += [f"- config_name: {configuration}", "  data_files:"]
            for split, parts in splits.items():
                rows = documents(source)
                if split == "dev":
                    rows = documents(source.replace("/test", "/dev"))
                if split == "train":
                    rows = rows[:8] * 2
                each = -(-len(rows) // parts)
                for part in range(parts):
                    path = home / place.format(split=split, part=part, parts=parts)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    pyarrow.parquet.write_table(
                        pyarrow.Table.from_pylist(rows[part * each : (part + 1) * each]), path
                    )
                pattern = str(path.relative_to(home)).replace(f"{part:05d}-of", "*-of")
                card += [f"  - split: {split}", f"    path: {pattern}"]
        # piqa has none on the hub, but where a file is missing olah says that there is no repository.
        (home / "README.md").write_text("" if None in configurations else "\n".join([*card, "---", ""]))
    return {"made": sorted(layouts)}


def requests(shots, tasks):
    from lm_eval.tasks import TaskManager

    manager = TaskManager()
    asked = {}
    for name in tasks:
        task = manager._factory.build(manager._entry(name), registry=manager._index)
        task.set_config("num_fewshot", shots)
        task.set_fewshot_seed(1234)
        task.build_all_requests()
        asked[name] = [list(request.args) for request in task.instances]
    return asked


def offline(repositories):
    import os

    os.environ["HF_HUB_OFFLINE"] = "1"
    from datasets import get_dataset_config_names, load_dataset
    from huggingface_hub import snapshot_download

    counted = {}
    for repository in repositories:
        folder = snapshot_download(repository, repo_type="dataset", local_files_only=True)
        for configuration in get_dataset_config_names(folder):
            sets = load_dataset(folder, configuration)
            counted[f"{repository} {configuration}"] = {split: rows.num_rows for split, rows in sets.items()}
    return counted


what, *rest = sys.argv[1:]
if what == "make":
    answer = make(Path(rest[0]))
elif what == "requests":
    answer = requests(int(rest[0]), rest[1:])
else:
    answer = offline(rest)
print(json.dumps(answer))
