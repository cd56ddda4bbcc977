// What meets a size: the best suggestion of as many blocks as it takes, and the channels of the MLPs that go with it.
import { UserError } from '../../server/errors';
import type { Budget, DropSet } from '../../server/protocol/recipes';
import { parseBytes, parseParameters } from '../../server/shared/amounts';
import { fitting, sizesOf, usualForm } from '../../server/shared/budget';
import { emptyDropSet } from '../../server/shared/dropSets';
import { counted } from '../../server/shared/numbers';
import type { FoundSize } from './askedSize';
import type { SuggestionCell } from './suggestions';
import type { View } from './view';

/** Finds what fits; what cannot be met or read becomes its sentence. */
export function findSize(view: View, text: string, contextTokens: number): FoundSize {
  try {
    const budget = budgetOf(text, contextTokens);
    const fits = fitting(budget, sizesOf(view.state.host.model, usualForm), view.mostCount);
    return { kind: 'found', drop: bestOf(view, fits.count), budget, fitting: fits };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { kind: 'failed', message: error.message };
  }
}

/** `100MB` is what may be written, `100M` what it may be made of. */
function budgetOf(text: string, contextTokens: number): Budget {
  const pieces = 'channels';
  if (/[kmgt]i?b\s*$/i.test(text)) return { kind: 'fit', bytes: parseBytes(text), contextTokens, cache: 'f16', pieces };
  if (contextTokens > 0)
    throw new UserError(
      'usage',
      'A cache of tokens takes bytes: write the size in bytes, such as 4GB, or count 0 tokens.',
    );
  return { kind: 'parameters', parameters: parseParameters(text), pieces };
}

/** The least of what is measured; where nothing is, of what is estimated; else what the method of the bars suggests. */
function bestOf(view: View, count: number): DropSet {
  if (count === 0) return emptyDropSet;
  const rows = view.suggestionsOf([count]);
  const cells = rows.flatMap(({ cells: [cell] }) => (cell && cell.drop.blocks.length >= count ? [cell] : []));
  const costOf = ({ loss }: SuggestionCell) => ('costNats' in loss ? loss.costNats : Number.POSITIVE_INFINITY);
  const leastOf = (kind: SuggestionCell['loss']['kind']) =>
    cells.filter(({ loss }) => loss.kind === kind).sort((a, b) => costOf(a) - costOf(b))[0];
  const ofMethod = rows.find(({ kind, name }) => kind === 'method' && name === view.method?.name)?.cells[0];
  const best = leastOf('measured') ?? leastOf('estimated') ?? ofMethod ?? cells[0];
  if (!best)
    throw new UserError(
      'badChoice',
      `No method suggests ${counted(count, 'block')}; protect fewer, or ask for another size.`,
    );
  return best.drop;
}
