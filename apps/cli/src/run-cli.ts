import { reportFailure } from './failure/report-failure.js';
import { EXIT, type ExitCode } from './failure/exit-codes.js';
import { createProgram } from './program.js';
import type { Surroundings } from './surroundings/surroundings.js';

/** Runs one command line and gives its exit code; what there is to say has been written then. */
export async function runCli(line: readonly string[], surroundings: Surroundings): Promise<ExitCode> {
  try {
    await createProgram(line, surroundings).parseAsync(line, { from: 'user' });
    return EXIT.ok;
  } catch (thrown) {
    return reportFailure(thrown, { stderr: surroundings.stderr, asJson: line.includes('--json') });
  }
}
