// How far work in steps is, from the events of the step that is being done: by the estimated cost of all steps together.
import type { EngineEvent } from '../protocol/engine';

/** Passes on what concerns the whole of a step's events. */
export function stepProgress(
  step: { readonly id: string; readonly title: string },
  { steps }: { readonly steps: readonly { readonly id: string; readonly operations: number }[] },
  emit: (event: EngineEvent) => void,
): (event: EngineEvent) => void {
  const total = steps.reduce((sum, { operations }) => sum + operations, 0);
  const index = steps.findIndex(({ id }) => id === step.id);
  const before = steps.slice(0, index).reduce((sum, { operations }) => sum + operations, 0);
  const ofStep = steps[index]?.operations ?? 0;
  const inner = partOfStep();
  const emitPart = (part: number) =>
    emit({ kind: 'progress', step: step.title, fraction: total === 0 ? 0 : (before + part * ofStep) / total });
  emitPart(0);
  return (event) => {
    if (event.kind === 'plan' || event.kind === 'warning') emit(event);
    const part = inner(event);
    if (part !== null) emitPart(part);
  };
}

/** Steps of a healing are counted. Other recipes go through phases that nobody has counted: each takes half of what is left. */
function partOfStep(): (event: EngineEvent) => number | null {
  let nSteps = 0;
  let phase: string | null = null;
  let nPhases = 0;
  return (event) => {
    if (event.kind === 'healing') nSteps = event.steps;
    if (event.kind === 'step' && nSteps > 0) return Math.min(1, (event.step.step + 1) / nSteps);
    if (event.kind !== 'progress' || nSteps > 0) return null;
    if (event.step !== phase) nPhases++;
    phase = event.step;
    return 1 - 0.5 ** (nPhases - 1) * (1 - 0.5 * event.fraction);
  };
}
