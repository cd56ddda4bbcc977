// Progress on a terminal; nothing elsewhere, so that logs stay short.
import { Presets, SingleBar } from 'cli-progress';
import type { EngineEvent } from '../protocol/engine';
import type { HealStep } from '../protocol/reports';
import { visibleLine } from '../shared/visible';
import { type Output, stderr } from '../terminal';
import { renderDownload, renderPlan } from './render';
import { renderUploadPlan } from './renderPublishing';
import { evaluationTable, stepLine } from './renderHealing';
import { renderStudyPlan } from './renderStudy';

/** Shows an engine's events on stderr; text goes to `out` as it comes, behind the `prompt`. */
export function progressView(quiet: boolean | undefined, prompt: string, out: Output) {
  const bar = new SingleBar(
    {
      format: '{step} {bar} {percentage} %  {duration_formatted}, {eta_formatted} left',
      hideCursor: true,
      clearOnComplete: true,
      etaBuffer: 30,
    },
    Presets.shades_classic,
  );
  let step = '';
  /** Warnings, and why a device was chosen: each is said once. */
  const said = new Set<string>();
  const healing = { steps: [] as HealStep[], nSteps: 0 };
  return {
    onEvent(event: EngineEvent) {
      if (event.kind === 'warning' && !said.has(event.text)) {
        bar.stop();
        step = '';
        stderr.message(`Warning: ${event.text}`);
        said.add(event.text);
      }
      if (quiet) return;
      if (event.kind === 'text') out.write(event.text);
      if (event.kind === 'plan') {
        bar.stop();
        step = '';
        const { deviceReason } = event.plan;
        if (deviceReason !== undefined && !said.has(deviceReason)) stderr.message(deviceReason);
        said.add(deviceReason ?? '');
        stderr.message(renderPlan(event.plan));
        out.write(prompt);
      }
      if (event.kind === 'download') {
        bar.stop();
        step = '';
        stderr.message(renderDownload(event.download));
      }
      if (event.kind === 'upload') {
        bar.stop();
        step = '';
        stderr.line(renderUploadPlan(event.upload));
      }
      if (event.kind === 'study') {
        bar.stop();
        step = '';
        stderr.line(renderStudyPlan(event.plan));
      }
      if (event.kind === 'healing') healing.nSteps = event.steps;
      if (event.kind === 'step') healing.steps.push(event.step);
      if (event.kind === 'step' && stderr.isTerminal())
        stderr.replaceLine(stepLine(healing.steps, healing.nSteps, event.remainingSeconds, event.memoryBytes));
      if (event.kind === 'evaluation') {
        bar.stop();
        stderr.replaceLine('');
        stderr.line(evaluationTable([event.evaluation]).split('\n')[1]!);
      }
      if (healing.steps.length > 0) return;
      if (event.kind !== 'progress' || !stderr.isTerminal()) return;
      if (event.step !== step) {
        bar.stop();
        bar.start(1000, 0, { step: visibleLine(event.step) });
        step = event.step;
      }
      bar.update(Math.round(event.fraction * 1000));
    },
    end() {
      bar.stop();
      if (healing.steps.length > 0 && stderr.isTerminal()) stderr.line('');
    },
  };
}
