"""Whether Python's tools find what Espalier has pulled, and the other way round, in one cache.

    check_pulled.py offline REPOSITORY       prints what the model generates and expects after a prompt, with HF_HUB_OFFLINE=1
    check_pulled.py adapter REPOSITORY BASE  the same for a PEFT adapter on the model in the folder BASE
    check_pulled.py scan CACHE               prints what huggingface_hub's scan of the cache finds, and warns of

transformers and huggingface_hub read where the cache is from the environment.
"""

import json
import os
import sys

what, name = sys.argv[1:3]

if what in ("offline", "adapter"):
    os.environ["HF_HUB_OFFLINE"] = "1"
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = name if what == "offline" else sys.argv[3]
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    if what == "adapter":
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, name)
    ids = tokenizer("Once upon a time", return_tensors="pt").input_ids
    out = model.generate(input_ids=ids, max_new_tokens=8, do_sample=False)
    with torch.no_grad():
        log_probabilities = torch.log_softmax(model(input_ids=ids).logits[0].double(), -1)
    losses = [-log_probabilities[i, ids[0, i + 1]].item() for i in range(ids.shape[1] - 1)]
    likeliest = log_probabilities.sort(-1, descending=True)
    every = {"ids": likeliest.indices[:-1].flatten().tolist(), "logProbabilities": likeliest.values[:-1].flatten().tolist()}
    print(json.dumps({"every": every, "text": tokenizer.decode(out[0][ids.shape[1] :]), "ids": ids[0].tolist(), "lossNats": sum(losses) / len(losses)}))
else:
    from huggingface_hub import scan_cache_dir

    found = scan_cache_dir(name)
    repositories = {
        repository.repo_id: sorted(file.file_name for revision in repository.revisions for file in revision.files)
        for repository in found.repos
    }
    print(json.dumps({"repositories": repositories, "warnings": [str(each) for each in found.warnings]}))
