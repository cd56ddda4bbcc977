// A recipe that names no device gets the one that `auto` is on this machine, before anything is planned for it. Its plans and its
// report say why it was that one.
import { chosenDevice, whyNoWebgpu } from '../devices/devices';
import { UserError } from '../errors';
import type { EngineEvent } from '../protocol/engine';
import type { Recipe, Report } from './kinds';
import type { Run } from './recipeContext';

/** Throws UserError('device') for a device that is named and not there. */
export async function onDecidedDevice<R extends Recipe>(
  recipe: R,
  run: Run,
  carryOut: (recipe: R, run: Run) => Promise<Report>,
): Promise<Report> {
  if (!('compute' in recipe)) return carryOut(recipe, run);
  const { compute } = recipe;
  const why = compute.device === 'webgpu' ? whyNoWebgpu() : null;
  if (why !== null) throw new UserError('device', `WebGPU is not there: ${why}.`);
  if (compute.device !== 'auto') return carryOut(recipe, run);

  const { device, reason } = await chosenDevice();
  const explained = (report: Report): Report =>
    'device' in report && report.device !== 'none' ? { ...report, deviceReason: reason } : report;
  const { stay } = run;
  const explaining: Run = {
    ...run,
    emit: (event: EngineEvent) =>
      run.emit(event.kind === 'plan' ? { ...event, plan: { ...event.plan, deviceReason: reason } } : event),
    ...(stay && { stay: (report: Report, answers) => stay(explained(report), answers) }),
  };
  return explained(await carryOut({ ...recipe, compute: { ...compute, device } }, explaining));
}
