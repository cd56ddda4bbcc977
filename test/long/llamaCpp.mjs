// What llama.cpp computes of GGUF files, by node-llama-cpp: node llamaCpp.mjs FOLDER JOBS, where FOLDER has its node_modules and JOBS
// is JSON, a list of { path, ids, nTokens }. Prints for each the greedy ids that follow, one JSON list of lists.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [folder, jobs] = process.argv.slice(2);
const entry = pathToFileURL(join(folder, 'node_modules/node-llama-cpp/dist/index.js')).href;
const { getLlama, LlamaLogLevel } = await import(entry);
const llama = await getLlama({
  gpu: false,
  build: 'never',
  progressLogs: false,
  logLevel: LlamaLogLevel.error,
  maxThreads: 1,
});
const found = [];
for (const { path, ids, nTokens } of JSON.parse(jobs)) {
  const model = await llama.loadModel({ modelPath: path });
  const context = await model.createContext({ contextSize: ids.length + nTokens, flashAttention: false, threads: 1 });
  const made = [];
  for await (const token of context.getSequence().evaluate(ids, { temperature: 0, yieldEogToken: true })) {
    made.push(token);
    if (made.length === nTokens) break;
  }
  found.push(made);
  await model.dispose();
}
process.stdout.write(JSON.stringify(found));
await llama.dispose();
