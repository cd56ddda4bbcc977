// graph: the graph of one block, to read or to look at. Nothing is computed, only config.json and headers are read.
import { type Command, Option } from 'commander';
import { withCheckpoint } from '../checkpoint/checkpoint';
import { refuseOverwriting } from '../checkpoint/readPlaces';
import { writeStaged, writeStagedFile } from '../checkpoint/stagedFile';
import { UserError } from '../errors';
import { emit } from '../graph/emit';
import { dot, print } from '../graph/print';
import type { Graph } from '../graph/value';
import { blockGraph } from '../model/block';
import { blockBackward } from '../model/blockGradient';
import { noAdapters } from '../model/blockInputs';
import type { ModelConfig } from '../model/config';
import { blockWeights } from '../model/weights';
import { stdout } from '../terminal';
import { natural, positive } from './readings';

interface GraphFlags {
  block: number;
  backward?: boolean;
  tokens: number;
  format: 'text' | 'dot' | 'onnx';
  out?: string;
}

export const addGraph = (program: Command): Command =>
  program
    .command('graph')
    .argument('<model>', 'folder of a model')
    .description('the graph of one block as text, for Graphviz, or as an .onnx file')
    .requiredOption('--block <number>', 'which block, counted from 0', natural)
    .option('--backward', "the backward pass: the gradients of the block's input and weights")
    .option('--tokens <count>', 'length of the one sequence', positive, 8)
    .addOption(new Option('--format <name>', 'how to write it').choices(['text', 'dot', 'onnx']).default('text'))
    .option('--out <file>', 'the file to write; onnx needs one, the others are printed without it')
    .action(async (model: string, flags: GraphFlags) => {
      const { format, out } = flags;
      if (format === 'onnx' && !out) throw new UserError('usage', 'An .onnx file needs a place: add --out FILE.');
      if (out) await refuseOverwriting(out, [{ path: model, as: 'model' }]);
      const graph = await graphOf(model, flags);
      if (!out) stdout.line(format === 'dot' ? dot(graph) : print(graph));
      else if (format === 'onnx') await writeStaged(out, (file) => file.writeFile(emit(graph).bytes));
      else await writeStagedFile(out, `${format === 'dot' ? dot(graph) : print(graph)}\n`);
    });

async function graphOf(model: string, { block, backward = false, tokens }: GraphFlags): Promise<Graph> {
  const config = await withCheckpoint(model, async (checkpoint) => checkpoint.config);
  if (block >= config.nBlocks)
    throw new UserError('badChoice', `There is no block ${block}; the model has blocks 0 to ${config.nBlocks - 1}.`);
  const { sublayers } = config.blocks[block]!;
  const batch = { batch: 1, tokens };
  if (!backward) return blockGraph(config, { block, sublayers }, batch);
  const targets = { inputs: weightsOf(config, block), hiddenIn: true };
  return blockBackward(config, { block, sublayers }, batch, noAdapters, targets);
}

const weightsOf = (config: ModelConfig, block: number) =>
  blockWeights(config, config.blocks[block]!.sublayers).map(({ suffix }) => suffix);
