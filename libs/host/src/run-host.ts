import { parseArgs } from 'node:util';
import { asError, isMillraceError, MillraceError } from '@millrace/core';
import { applicationFile } from './application-file.js';
import { VERSION } from './version.js';

/** A command that runs an application of the user. */
export interface HostCommand {
  /** `millrace-worker`. */
  readonly name: string;
  /** One sentence. */
  readonly summary: string;
  /** Starts it; `file` is the absolute path of the file that exports the application module. */
  readonly start: (file: string) => Promise<unknown>;
}

const OPTIONS = { app: { type: 'string' }, help: { type: 'boolean', short: 'h' }, version: { type: 'boolean' } } as const;

/**
 * Runs the command line of this process. A start that fails, or that can never end, is told in one sentence, and ends the
 * process with code 1.
 */
export async function runHost(command: HostCommand): Promise<void> {
  try {
    const { app, help, version } = parsed(process.argv.slice(2), command);
    if (help || version) {
      process.stdout.write(help ? helpOf(command) : `${VERSION}\n`);
      return;
    }
    const file = applicationFile(app, process.env);
    // The application, and a copy of the host that is beside it, read it there.
    process.env['MILLRACE_APP'] = file;
    await started(command, file);
  } catch (thrown) {
    refuse(thrown);
  }
}

/** Node ends a process that has nothing left to do, also where a start is still awaited: quietly, and with code 13 or 0. */
async function started({ start }: HostCommand, file: string): Promise<void> {
  const stalled = (): never => refuse(neverLoaded(file));
  process.once('beforeExit', stalled);
  try {
    await start(file);
  } finally {
    process.off('beforeExit', stalled);
  }
}

function refuse(thrown: unknown): never {
  process.stderr.write(`Cannot start: ${textOf(thrown)}\n`);
  process.exit(1);
}

function neverLoaded(file: string): MillraceError {
  return new MillraceError(
    'INVALID_OPTIONS',
    `${file} never finished loading: it awaits something that cannot come any more, for nothing is left to run in this process. ` +
      'Mend the await at the top level of a module, the asynchronous provider or the hook of the application that never settles.',
  );
}

function parsed(args: string[], { name }: HostCommand): { app?: string; help?: boolean; version?: boolean } {
  try {
    return parseArgs({ args, options: OPTIONS }).values;
  } catch (cause) {
    // The first sentence, in which a name may have dots.
    const [problem] = asError(cause).message.split(/\. |\.?\n|\.$/);
    throw new MillraceError('INVALID_OPTIONS', `${problem}. See ${name} --help.`, { cause });
  }
}

function helpOf({ name, summary }: HostCommand): string {
  return `Usage: ${name} --app <file>

${summary}

Options:
  --app <file>  the JavaScript file that exports your application module, as default or as AppModule (MILLRACE_APP)
  --version     print the version
  -h, --help    show this help

Variables of the environment set the rest: REDIS_URL, MILLRACE_GROUPS and others. Nest and Millrace are taken from the
application's own node_modules. SIGTERM ends it with code 0 when its handlers have finished.

Example:
  REDIS_URL=redis://127.0.0.1:6379 ${name} --app dist/app.module.js
`;
}

function textOf(thrown: unknown): string {
  const error = asError(thrown);
  return isMillraceError(error) ? `${error.code}: ${error.message}` : (error.stack ?? error.message);
}
