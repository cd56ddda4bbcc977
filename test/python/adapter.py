#!/usr/bin/env python3
"""Does a LoRA adapter mean to PEFT what it means to us? On the CPU, without custom code.

  adapter.py make --model DIR --lora JSON --out DIR
      get_peft_model with LoraConfig(**JSON), A and B drawn by a seed, saved as PEFT saves it, in float32.
  adapter.py compare --model DIR --adapter DIR --merged DIR --ids FILE
      Loads the adapter beside the model with PeftModel.from_pretrained, all in float64, so that what is left is what the
      merged weights say and not the order of sums, and prints one JSON object:
      modules    [rank, scaling] by module, as PEFT has them
      change     largest absolute logit difference that the adapter makes
      unmerged   largest absolute logit difference between PEFT's model with the adapter beside it and the folder
                 --merged, which transformers loads without PEFT
      merged     the same for PEFT's own merge_and_unload
      own        the same between these two of PEFT
      problems   what PEFT and transformers warned of while loading, such as missing or unexpected keys
      Exits with 1 when there are problems.

FILE is JSON: rows of token ids of equal length, or an object with such rows under "ids".
"""
import argparse
import json
import os
import sys
import warnings
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import peft
import torch
from transformers import AutoModelForCausalLM

from check_folder import rows


def main():
    args = arguments()
    torch.set_num_threads(2)
    torch.manual_seed(0)
    make(args) if args.what == "make" else compare(args)


def make(args):
    model, _ = load(args.model, torch.float32)
    model = peft.get_peft_model(model, peft.LoraConfig(task_type="CAUSAL_LM", **json.loads(args.lora)))
    with torch.no_grad():
        for name, weight in sorted(model.named_parameters()):
            if "lora_" in name:
                weight.normal_(std=0.02)
    model.save_pretrained(args.out)


@torch.no_grad()
def compare(args):
    ids = rows(args.ids)
    ours, problems = load(args.merged, torch.float64)
    expected = logits(ours, ids)
    base, more = load(args.model, torch.float64)
    before = logits(base, ids)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        model = peft.PeftModel.from_pretrained(base, args.adapter).eval()
    problems += more + [str(w.message) for w in warned if "adapter" in str(w.message).lower()]
    modules = {name.removeprefix("base_model.model."): [m.r["default"], m.scaling["default"]]
               for name, m in model.named_modules() if hasattr(m, "lora_A") and len(m.lora_A)}
    beside = logits(model, ids)
    merged = logits(model.merge_and_unload(), ids)
    largest = lambda a, b: (a - b).abs().max().item()
    print(json.dumps({"modules": modules, "change": largest(beside, before), "unmerged": largest(beside, expected),
                      "merged": largest(merged, expected), "own": largest(beside, merged), "problems": problems}))
    sys.exit(1 if problems else 0)


def load(folder, dtype):
    model, loading = AutoModelForCausalLM.from_pretrained(
        folder, dtype=dtype, attn_implementation="eager", trust_remote_code=False, output_loading_info=True)
    return model.eval(), [f"{kind}: {sorted(map(str, names))}" for kind, names in loading.items() if names]


def logits(model, ids):
    return model(input_ids=ids, use_cache=False).logits


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = p.add_subparsers(dest="what", required=True)
    m = commands.add_parser("make")
    m.add_argument("--lora", required=True)
    m.add_argument("--out", type=Path, required=True)
    c = commands.add_parser("compare")
    c.add_argument("--adapter", type=Path, required=True)
    c.add_argument("--merged", type=Path, required=True)
    c.add_argument("--ids", type=Path, required=True)
    for command in (m, c):
        command.add_argument("--model", type=Path, required=True)
    return p.parse_args()


if __name__ == "__main__":
    main()
