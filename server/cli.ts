// espalier, the command line. It reads options, starts an engine for the heavy work, and shows what comes back. It never
// loads onnxruntime itself. Exit codes: 0 done, 2 a mistake the user can mend, 128 and the signal's number when it was
// ended by one, 1 a defect of ours.
import { runCommandLine } from './cli/program';
import { stderr, stdout } from './terminal';

// A reader that has seen enough (`espalier analyze ... | head`) is no failure; the report may still go to --json.
stdout.onLost((error) => {
  const isClosedTerminal = error.code === 'EIO' && stdout.isTerminal();
  if (error.code === 'EPIPE' || isClosedTerminal) return;
  stderr.message(`espalier: The output cannot be written (${error.code}); use --json FILE, or another place.`);
  process.exit(2);
});
// Whoever closed the terminal ends the work by a signal, which is waited for.
stderr.onLost(() => {});

void runCommandLine(process.argv.slice(2)).then((code) => {
  process.exitCode = code;
});
