// Progress on a terminal; nothing elsewhere, so that logs stay short.
import { Presets, SingleBar } from 'cli-progress';
import type { EngineEvent } from '../protocol/engine';
import type { HealStep } from '../protocol/reports';
import { renderPlan } from './render';
import { evaluationTable, stepLine } from './renderHealing';
import { renderStudyPlan } from './renderStudy';

/** Shows an engine's events on stderr; text goes to `out` as it comes, behind the `prompt`. */
export function progressView(quiet: boolean | undefined, prompt: string, out: NodeJS.WritableStream) {
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
  const warned = new Set<string>();
  const healing = { steps: [] as HealStep[], nSteps: 0 };
  return {
    onEvent(event: EngineEvent) {
      if (event.kind === 'warning' && !warned.has(event.text)) {
        bar.stop();
        step = '';
        process.stderr.write(`Warning: ${event.text}\n`);
        warned.add(event.text);
      }
      if (quiet) return;
      if (event.kind === 'text') out.write(event.text);
      if (event.kind === 'plan') {
        bar.stop();
        step = '';
        process.stderr.write(`${renderPlan(event.plan)}\n`);
        out.write(prompt);
      }
      if (event.kind === 'study') {
        bar.stop();
        step = '';
        process.stderr.write(`${renderStudyPlan(event.plan)}\n`);
      }
      if (event.kind === 'healing') healing.nSteps = event.steps;
      if (event.kind === 'step') healing.steps.push(event.step);
      if (event.kind === 'step' && process.stderr.isTTY) {
        const line = stepLine(healing.steps, healing.nSteps, event.remainingSeconds, event.memoryBytes);
        process.stderr.write(`\r\x1b[2K${line}`);
      }
      if (event.kind === 'evaluation') {
        bar.stop();
        if (process.stderr.isTTY) process.stderr.write('\r\x1b[2K');
        process.stderr.write(`${evaluationTable([event.evaluation]).split('\n')[1]!}\n`);
      }
      if (healing.steps.length > 0) return;
      if (event.kind !== 'progress' || !process.stderr.isTTY) return;
      if (event.step !== step) {
        bar.stop();
        bar.start(1000, 0, { step: event.step });
        step = event.step;
      }
      bar.update(Math.round(event.fraction * 1000));
    },
    end() {
      bar.stop();
      if (healing.steps.length > 0 && process.stderr.isTTY) process.stderr.write('\n');
    },
  };
}
