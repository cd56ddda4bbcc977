// The state of the try page and its transitions: the prompt, and the texts as they come.
import type { TryState } from '../../server/protocol/pages/try';
import type { WeightsOption } from '../../server/protocol/recipes';
import type { GenerateReport } from '../../server/recipes/generate/recipe';

export interface PageState {
  readonly host: TryState;
  readonly prompt: string;
  readonly maxTokens: number;
  readonly weights: WeightsOption | null;
  /** By model. */
  readonly outputs: readonly Output[];
  readonly runs: 'never' | 'now' | 'ended' | 'cancelled';
  readonly failure: string | null;
}

export interface Output {
  /** Stands before the text: that of the run, whatever has been typed since. */
  readonly prompt: string;
  readonly text: string;
  readonly report: GenerateReport | null;
}

export type Action =
  | { type: 'host'; host: TryState }
  | { type: 'prompt'; prompt: string }
  | { type: 'length'; maxTokens: number }
  | { type: 'weights'; weights: WeightsOption | null }
  | { type: 'begin' }
  | { type: 'text'; model: number; text: string }
  | { type: 'report'; model: number; report: GenerateReport }
  /** Without reports: it failed. */
  | { type: 'end'; reports: readonly GenerateReport[] | null }
  | { type: 'cancelled' }
  | { type: 'failed'; failure: string };

const noOutput: Output = { prompt: '', text: '', report: null };

export const initialState = (host: TryState): PageState => ({
  host,
  prompt: host.prompt,
  maxTokens: host.maxTokens,
  weights: host.weights,
  outputs: host.models.map(() => noOutput),
  runs: 'never',
  failure: null,
});

export const canGenerate = ({ runs, prompt }: PageState): boolean => runs !== 'now' && prompt.trim() !== '';

/** The state itself where an action changes nothing. */
export function nextState(state: PageState, action: Action): PageState {
  const { prompt, outputs, runs } = state;
  switch (action.type) {
    case 'host': {
      const { models } = action.host;
      const isSame = models.length === outputs.length;
      return { ...state, host: action.host, outputs: isSame ? outputs : models.map(() => noOutput) };
    }
    case 'prompt':
      return { ...state, prompt: action.prompt };
    case 'length':
      return { ...state, maxTokens: action.maxTokens };
    case 'weights':
      return { ...state, weights: action.weights };
    case 'begin':
      return { ...state, runs: 'now', failure: null, outputs: outputs.map(() => ({ ...noOutput, prompt })) };
    case 'text':
      return runs === 'now' ? withOutput(state, action.model, (it) => ({ text: it.text + action.text })) : state;
    case 'report':
      return withOutput(state, action.model, () => ({ text: action.report.text, report: action.report }));
    case 'end': {
      const ended = action.reports?.map((report, i) => ({
        prompt: outputs[i]?.prompt ?? '',
        text: report.text,
        report,
      }));
      return { ...state, runs: 'ended', outputs: ended ?? outputs };
    }
    case 'cancelled':
      return { ...state, runs: 'cancelled' };
    case 'failed':
      return { ...state, failure: action.failure };
  }
}

const withOutput = (state: PageState, model: number, change: (output: Output) => Partial<Output>): PageState => ({
  ...state,
  outputs: state.outputs.map((output, i) => (i === model ? { ...output, ...change(output) } : output)),
});
