// espalier, the command line. It reads options, starts an engine for the heavy work, and shows what comes back. It never
// loads onnxruntime itself. Exit codes: 0 done, 2 a mistake the user can mend, 130 interrupted, 1 a defect of ours.
import { CommanderError } from 'commander';
import { espalierProgram } from './cli/program';
import { isUserError } from './errors';

async function main(): Promise<number> {
  try {
    await espalierProgram().parseAsync();
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (!isUserError(error)) {
      console.error(error);
      return 1;
    }
    console.error(`espalier: ${error.message}`);
    return error.code === 'cancelled' ? 130 : 2;
  }
}

// A reader that has seen enough (`espalier analyze ... | head`) is no failure; the report may still go to --json.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') return;
  console.error(`espalier: The output cannot be written (${error.code}); use --json FILE, or another place.`);
  process.exit(2);
});

void main().then((code) => {
  process.exitCode = code;
});
