// What a kit does where it was unpacked (scripts/kit.mjs packs it): makes a model of a shape, measures each job in each width, and
// PyTorch on the same card where there is one. It prints tables of ratios, and writes all figures to kit.json.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { DevicesReport } from '../../server/protocol/devices';
import type { WeightWidth } from '../../server/protocol/recipes';
import { reportOf, table } from '../commandLine';
import { type JobName, type KitPlaces, measureJobs, type MeasuredJobs } from './jobs';
import { askPeer, type PeerFacts } from './peer';
import { type KitShape, shapes } from './shapes';

const { values } = parseArgs({
  options: {
    shape: { type: 'string', default: 'llama-3.2-3b' },
    device: { type: 'string', default: 'webgpu' },
    widths: { type: 'string', default: 'f16,int4' },
    python: { type: 'string', default: 'python3' },
    'torch-device': { type: 'string', default: '' },
    work: { type: 'string', default: 'work' },
    help: { type: 'boolean', default: false },
  },
});

const usage = `kit [--shape ${Object.keys(shapes).join('|')}] [--device webgpu|cpu] [--widths f16,int4,...]
    [--python PROGRAM] [--torch-device cuda|cpu] [--work FOLDER]`;

function main(): void {
  const shape = shapes[values.shape];
  if (values.help || !shape) {
    console.log(usage);
    process.exitCode = values.help ? 0 : 2;
    return;
  }
  const work = resolve(values.work);
  mkdirSync(work, { recursive: true });
  const places = makeModel(shape, work);
  const devices = reportOf<DevicesReport>(work, 'devices');
  const speed = say(devices);
  const found: Record<string, MeasuredJobs> = {};
  for (const width of values.widths.split(',')) {
    found[width] = measureJobs(shape, places, values.device, width as WeightWidth);
    console.log(`\n${jobsTable(width, found[width], speed)}`);
  }
  const widest = Object.values(found)[0]!;
  const peer = askPeer(shape, places, widest, { python: values.python, device: values['torch-device'] });
  console.log(`\n${inWords(peer)}`);
  for (const [width, jobs] of Object.entries(found)) console.log(`\n${ratiosTable(width, jobs, peer)}`);
  const all = { shape: values.shape, device: values.device, devices, found, peer };
  writeFileSync(join(work, 'kit.json'), JSON.stringify(all, null, 1));
  console.log(`\nAll figures: ${join(work, 'kit.json')}`);
}

/** The checkpoint, and what the jobs read. */
function makeModel(shape: KitShape, work: string): KitPlaces {
  const [model, config] = [join(work, values.shape), join(work, `${values.shape}.config.json`)];
  if (!existsSync(model)) {
    writeFileSync(config, JSON.stringify(shape.config));
    const tokenizer = ['--tokenizer', 'dist/demo/stories260k', '--out', model];
    execFileSync(process.execPath, ['dist/makeShape.cjs', '--config', config, ...tokenizer], { stdio: 'ignore' });
  }
  const ids = join(work, 'ids.json');
  const row = (s: number) => Array.from({ length: shape.tokens }, (_, t) => (7 * t + 31 * s + t * t) % 500);
  writeFileSync(ids, JSON.stringify(Array.from({ length: 3 * shape.sequences }, (_, s) => row(s))));
  const scratch = join(work, 'scratch');
  rmSync(scratch, { recursive: true, force: true });
  mkdirSync(scratch);
  return { model, ids, text: 'dist/demo/tinystories.txt', tasks: 'tasks', scratch };
}

/** @returns what the device multiplies in a second; null where it was not measured */
function say({ devices, onnxruntime }: DevicesReport): number | null {
  const device = devices.find((each) => each.device === values.device);
  const adapter = device?.adapters[0];
  const speed = device?.state === 'usable' ? device.operationsPerSecond : null;
  const driver = adapter?.driver ? `, ${adapter.driver}` : '';
  const measured = speed ? `${(speed / 1e9).toFixed(1)} GFLOP/s measured, ` : '';
  console.log(`${values.shape} on ${adapter?.name ?? values.device}${driver}; ${measured}onnxruntime ${onnxruntime}`);
  console.log(`The processor beside it: ${cpus()[0]?.model.trim()}, ${cpus().length} cores`);
  return speed;
}

const names: readonly JobName[] = ['analysis', 'healing', 'scoring'];

function jobsTable(width: string, { speeds }: MeasuredJobs, speed: number | null): string {
  const rows = names.map((name) => {
    const { tokensPerSecond, operationsPerSecond, tensorBytes } = speeds[name];
    return [
      name,
      tokensPerSecond.toFixed(1),
      (operationsPerSecond / 1e9).toFixed(1),
      speed ? `${((100 * operationsPerSecond) / speed).toFixed(0)} %` : 'not known',
      `${(tensorBytes / 1e9).toFixed(2)} GB`,
    ];
  });
  return table([`Espalier, ${width}`, 'tokens/s', 'GFLOP/s', 'of the product', 'tensors'], rows);
}

function inWords(peer: PeerFacts): string {
  if ('missing' in peer) return `PyTorch was not measured: ${peer.missing}.`;
  return `PyTorch ${peer.torch} on ${peer.name}`;
}

function ratiosTable(width: string, { speeds }: MeasuredJobs, peer: PeerFacts): string {
  if ('missing' in peer) return `${width}: no ratios`;
  const rows = Object.entries(peer.dtypes).flatMap(([dtype, theirs]) =>
    names.map((name) => {
      const each = 'failed' in theirs ? theirs.failed : theirs[name];
      if (typeof each !== 'number') return [`${dtype}, ${name}`, typeof each === 'string' ? each : each.missing, ''];
      return [`${dtype}, ${name}`, each.toFixed(1), (speeds[name].tokensPerSecond / each).toFixed(3)];
    }),
  );
  return table(['PyTorch', 'tokens/s', `Espalier ${width} against it`], rows);
}

main();
