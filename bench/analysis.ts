// All importance methods against a bare forward pass with loss over the same sequences.
import { analyze } from '../server/analysis/analyze';
import { forwardMethodNames } from '../server/shared/methods';
import { forward } from '../server/execution/forward';
import { type Setting, takeTurns, withBenchModel } from './setting';

export const benchAnalysis = (setting: Setting) =>
  withBenchModel(setting, async (model, sequences) => {
    const best = await takeTurns(setting.rounds, {
      forward: () => forward(model, sequences),
      analyze: () => analyze(model, sequences, forwardMethodNames),
    });
    console.log(
      `analysis: all ${forwardMethodNames.length} methods ${best.analyze.toFixed(0)} ms, forward ${best.forward.toFixed(0)} ms, ` +
        `ratio ${(best.analyze / best.forward).toFixed(3)} (least of ${setting.rounds})`,
    );
  });
