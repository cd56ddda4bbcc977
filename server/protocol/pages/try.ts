// The page in which one prompt is given to several models, and its conversation with the extension host. Types only.
import type { WeightsOption } from '../recipes';
import type { ModelSummary } from '../reports';
import type { GenerateReport } from '../../recipes/generate/recipe';
import type { ConnectionState, PageProtocol } from './page';

export interface TryPage extends PageProtocol {
  name: 'try';
  state: TryState;
  /** `weights`: null, and absent in windows of earlier versions: as the setting says. */
  memory: { folders: string[]; prompt: string; maxTokens: number; weights?: WeightsOption | null };
  requests: {
    /** One prompt for all models of the page, one after the other; text comes as try/text. */
    'try/generate': {
      params: { prompt: string; maxTokens: number; weights: WeightsOption | null };
      result: GenerateReport[];
    };
    'try/cancel': { params: Record<string, never>; result: null };
  };
  notifications: {
    'try/state': TryState;
    /** Text that the model with this index has added. */
    'try/text': { model: number; text: string };
    /** One model has finished; the others go on. */
    'try/report': { model: number; report: GenerateReport };
  };
}

export interface TryState {
  /** The original first. */
  models: ModelSummary[];
  prompt: string;
  maxTokens: number;
  /** null: as the setting says. */
  weights: WeightsOption | null;
  connection: ConnectionState;
}
