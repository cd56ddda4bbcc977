#!/usr/bin/env python3
"""Does a pruned folder mean to transformers what it means to us?

Opens the folder with AutoModelForCausalLM (float32, CPU, no custom code), checks that it has lost blocks and nothing
else, and computes the mean next-token loss: float32 logits and log-softmax, float64 sums, a mean per sequence of T - 1
predictions, then the mean over sequences. No bos is put before a sequence.

  check_folder.py --original DIR --pruned DIR --ids FILE --expected-loss X [--tolerance 1e-5]

FILE is JSON: rows of token ids of equal length, or an object with such rows under "ids". Prints one JSON object.
--trust-remote-code is what transformers is told of the folder's own code: no, yes, or ask, which is an error here.
Exits with 1 when the loss is off by more than the tolerance (nats) or the folder does not fit the original.
"""
import argparse
import json
import os
import sys
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
from transformers import AutoConfig, AutoModelForCausalLM


trust = {"no": False, "yes": True, "ask": None}


def main():
    args = arguments()
    model, loading = AutoModelForCausalLM.from_pretrained(
        args.pruned, dtype=torch.float32, attn_implementation="eager", trust_remote_code=trust[args.trust_remote_code], output_loading_info=True)
    n_layers = len(model.model.layers)
    n_layers_original = AutoConfig.from_pretrained(args.original).num_hidden_layers
    loss = mean_loss(model.eval(), rows(args.ids))

    problems = [f"{kind}: {sorted(map(str, names))}" for kind, names in loading.items() if names]
    if n_layers > n_layers_original:
        problems.append(f"{n_layers} layers, but the original has {n_layers_original}")
    if not abs(loss - args.expected_loss) <= args.tolerance:
        problems.append(f"the loss is {loss}, expected {args.expected_loss} within {args.tolerance}")
    print(json.dumps({"loss": loss, "expectedLoss": args.expected_loss, "layers": n_layers,
                      "layersOriginal": n_layers_original, "problems": problems}))
    sys.exit(1 if problems else 0)


@torch.no_grad()
def mean_loss(model, ids):
    losses = []
    for sequence in ids:
        logits = model(input_ids=sequence[None], use_cache=False).logits[0, :-1].float()
        log_probabilities = torch.log_softmax(logits, dim=-1)
        total = log_probabilities.gather(1, sequence[1:, None]).double().sum().item()
        losses.append(-total / (len(sequence) - 1))
    return sum(losses) / len(losses)


def rows(path):
    found = json.loads(path.read_text())
    return torch.tensor(found["ids"] if isinstance(found, dict) else found, dtype=torch.long)


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--original", type=Path, required=True)
    p.add_argument("--pruned", type=Path, required=True)
    p.add_argument("--ids", type=Path, required=True)
    p.add_argument("--expected-loss", type=float, required=True)
    p.add_argument("--trust-remote-code", choices=[*trust], default="no")
    p.add_argument("--tolerance", type=float, default=1e-5)
    return p.parse_args()


if __name__ == "__main__":
    main()
