# The jobs of a kit in PyTorch on the same model, device and token counts: one line of JSON, tokens a second by dtype and job.
# `python3 peer.py SETTING.json`; what is missing on the machine is said in the place of a number.
import json
import sys
import time


def main():
    setting = json.load(open(sys.argv[1]))
    try:
        import torch
        import transformers
    except ImportError as error:
        print(json.dumps({"missing": str(error)}))
        return
    device = setting["device"] or ("cuda" if torch.cuda.is_available() else "cpu")
    name = torch.cuda.get_device_name(0) if device.startswith("cuda") else "the CPU"
    found = {"device": device, "name": name, "torch": torch.__version__, "dtypes": {}}
    for dtype in ["float32", "bfloat16"]:
        try:
            found["dtypes"][dtype] = measured(torch, transformers, setting, device, dtype)
        except (RuntimeError, MemoryError) as error:
            found["dtypes"][dtype] = {"failed": str(error).splitlines()[0]}
    print(json.dumps(found))


def measured(torch, transformers, setting, device, dtype):
    transformers.logging.set_verbosity_error()
    load = transformers.AutoModelForCausalLM.from_pretrained
    model = load(setting["model"], dtype=getattr(torch, dtype), attn_implementation="sdpa").to(device).eval()
    wait = torch.cuda.synchronize if device.startswith("cuda") else lambda: None

    def seconds(body, times=3):
        best = float("inf")
        for turn in range(times + 1):
            wait()
            began = time.perf_counter()
            body()
            wait()
            if turn > 0:
                best = min(best, time.perf_counter() - began)
        return best

    def ids(rows, tokens):
        generator = torch.Generator().manual_seed(0)
        return torch.randint(0, 500, (rows, tokens), generator=generator).to(device)

    analysis, healing, scoring = setting["analysis"], setting["healing"], setting["scoring"]

    def forward(rows, tokens, per_run):
        batch = ids(per_run, tokens)

        def body():
            with torch.no_grad():
                for _ in range(0, rows, per_run):
                    model(batch, labels=batch)

        return body

    tokens = analysis["tokens"]
    rows = analysis["sequences"]
    result = {"analysis": rows * tokens / seconds(forward(rows, tokens, min(rows, max(1, 1024 // tokens))))}
    # As lm-evaluation-harness does it with a batch of 4: every request from its first token on.
    requests, length = scoring["requests"], scoring["tokens"] // max(1, scoring["requests"])
    result["scoring"] = requests * length / seconds(forward(requests, length, min(requests, 4)), times=1)
    result["healing"] = trained(torch, model, ids(healing["microBatch"], healing["tokens"]), seconds)
    return result


def trained(torch, model, batch, seconds):
    try:
        import peft
    except ImportError as error:
        return {"missing": str(error)}
    config = peft.LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM")
    adapted = peft.get_peft_model(model, config).train()
    optimizer = torch.optim.AdamW([p for p in adapted.parameters() if p.requires_grad], lr=1e-4)

    def step():
        adapted(input_ids=batch, labels=batch).loss.backward()
        torch.nn.utils.clip_grad_norm_(adapted.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return batch.numel() / seconds(step)


main()
