#!/usr/bin/env python3
"""Does huggingface_hub read our cards as we mean them?

  check_cards.py CARD... [--results FOLDER]

Each card is loaded with ModelCard.load; its metadata has to survive being written and read again, its model-index has to be
one that huggingface_hub makes itself of the results that it found. FOLDER is a .eval_results, whose files are parsed as the
hub's. Prints one JSON object: by card its metadata and results, by file its entries, and the problems. Exits with 1 where
there are some.
"""
import argparse
import json
import logging
import sys
from pathlib import Path

import yaml
from huggingface_hub import ModelCard, ModelCardData, RepoCard
from huggingface_hub._eval_results import parse_eval_result_entries
from huggingface_hub.repocard_data import eval_results_to_model_index


def main():
    args = arguments()
    heard = []
    handler = logging.Handler()
    handler.emit = lambda record: heard.append(record.getMessage())
    logging.getLogger("huggingface_hub").addHandler(handler)
    cards = {path: read(path, heard) for path in args.cards}
    results = {}
    for path in sorted(Path(args.results).glob("*.yaml")) if args.results else []:
        entries = parse_eval_result_entries(yaml.safe_load(path.read_text()))
        results[path.name] = [[entry.dataset_id, entry.task_id, entry.value, entry.notes] for entry in entries]
    print(json.dumps({"cards": cards, "results": results, "problems": heard}))
    sys.exit(1 if heard else 0)


def read(path, problems):
    card = ModelCard.load(path)
    plain = RepoCard.load(path)
    front = yaml.safe_load(card.content.split("---\n")[1])
    found = card.data.eval_results or []
    if plain.text.strip() == "" or plain.text != card.text:
        problems.append(f"{path}: the body is not what stands below the front matter")
    index = eval_results_to_model_index(card.data.model_name, found) if found else None
    if index != front.get("model-index"):
        problems.append(f"{path}: model-index is read as {index}")
    again = ModelCardData(**yaml.safe_load(card.data.to_yaml()))
    if again.to_dict() != card.data.to_dict():
        problems.append(f"{path}: the metadata is another one when it is written again")
    metadata = {key: value for key, value in card.data.to_dict().items() if key != "model-index"}
    metrics = [[each.dataset_type, each.dataset_config, each.metric_type, each.metric_value] for each in found]
    return {"metadata": metadata, "results": metrics}


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("cards", nargs="+")
    parser.add_argument("--results")
    return parser.parse_args()


main()
