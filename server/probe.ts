// The probe's process: measures one device, says what it found, and ends. A driver that crashes or hangs takes nothing else along.
import { watchOwner } from './child/ownerWatch';
import type { ProbeReply, ProbeRequest } from './protocol/probe';
import { probe } from './runtime/probe';

watchOwner({ owner: Number(process.argv[2]) || process.ppid });
// Ctrl-C reaches the whole process group; the starter decides what it means.
process.on('SIGINT', () => {});
process.on('message', async ({ device }: ProbeRequest) => {
  const reply = await probe(device).catch(
    (error: unknown): ProbeReply => ({ kind: 'failed', message: firstLine(error) }),
  );
  process.send!(reply, () => process.exit(0));
});

const firstLine = (error: unknown) => (error instanceof Error ? error.message : String(error)).split('\n')[0]!;
