// espalier, the command line. It reads options, starts an engine for the heavy work, and shows what comes back. It never
// loads onnxruntime itself. Exit codes: 0 done, 2 a mistake the user can mend, 130 interrupted, 1 a defect of ours.
import { runCommandLine } from './cli/program';
import { stderr, stdout } from './terminal';

// A reader that has seen enough (`espalier analyze ... | head`) is no failure; the report may still go to --json.
stdout.onLost((error) => {
  if (error.code === 'EPIPE') return;
  stderr.message(`espalier: The output cannot be written (${error.code}); use --json FILE, or another place.`);
  process.exit(2);
});

void runCommandLine(process.argv.slice(2)).then((code) => {
  process.exitCode = code;
});
