// export: writes a model as one GGUF file for llama.cpp, Ollama and LM Studio.
import * as z from 'zod';
import { path } from '../../protocol/recipes';
import type { ModelSummary } from '../../protocol/reports';
import type { CommandLine } from '../commandLine';
import { type RecipeKind, typeOf } from '../recipeKind';

export const fileType = z.enum(['f16', 'q8_0', 'q4_0']);
export type ExportFileType = z.output<typeof fileType>;

const schema = z.strictObject({
  kind: z.literal('export'),
  model: path('modelFolder'),
  /** What matrices are stored as in the GGUF file; norms and biases are float32 in each. */
  gguf: fileType,
  out: path('outputFile'),
});
export type ExportRecipe = z.output<typeof schema>;

export interface ExportReport {
  kind: 'export';
  model: ModelSummary;
  gguf: ExportFileType;
  out: string;
  /** llama.cpp's name for the family. */
  architecture: string;
  /** llama.cpp's name for how the tokenizer cuts texts. */
  preTokenizer: string;
  nTensors: number;
  nParameters: number;
  sizeBytes: number;
  /** Matrices that are stored as halves, because their rows are not a multiple of 32. */
  storedAsHalves: string[];
  /** The blocks by which it differs from the model that it was cut from; null: it was not, or in another way. */
  cut: { original: string; removedBlocks: number[] } | null;
  /** In what llama.cpp may differ from this model. */
  warnings: string[];
  elapsedMs: number;
  /** Of the process. */
  peakMemoryBytes: number;
  versions: { espalier: string; node: string };
}

const command = {
  summary: 'write a model as a GGUF file for llama.cpp, Ollama and LM Studio',
  arguments: [{ name: '<model>', field: 'model' }],
  options: [
    { flags: '--gguf <type>', field: 'gguf', required: true, help: 'what matrices are stored as' },
    { flags: '--out <file>', field: 'out', required: true, help: 'the file to write; one that is there is replaced' },
  ],
} as const satisfies CommandLine;

export const exportKind = {
  schema,
  title: 'Export',
  resumable: true,
  inFiles: true,
  planned: 'nothing',
  report: typeOf<ExportReport>(),
  command,
} as const satisfies RecipeKind;
