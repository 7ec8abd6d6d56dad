import { asError, isMillraceError } from '@millrace/core';
import { CommanderError } from 'commander';
import { jsonText } from '../output/json-text.js';
import { printable } from '../output/printable.js';
import type { TextSink } from '../surroundings/surroundings.js';
import { CliError } from './cli-error.js';
import { EXIT, type ExitCode, exitCodeOf } from './exit-codes.js';
import { inOwnWords } from './own-words.js';
import { type RemoteError, RemoteFailure } from './remote-failure.js';

/** An error as it is shown. */
interface Failure {
  readonly code: string;
  readonly message: string;
  readonly problems: readonly string[];
  /** The error that a called method threw. */
  readonly remote?: RemoteError;
}

/** Writes the error, as JSON where that was asked for, and gives the exit code. */
export function reportFailure(thrown: unknown, { stderr, asJson }: { stderr: TextSink; asJson: boolean }): ExitCode {
  // Help and the version are written already.
  if (thrown instanceof CommanderError && thrown.exitCode === 0) return EXIT.ok;
  if (thrown instanceof CommanderError && thrown.code === 'commander.help') return EXIT.usage;
  const failure = failureOf(thrown);
  stderr.write(asJson ? `${jsonText({ apiVersion: 1, error: failure })}\n` : textOf(failure));
  return exitCodeOf(failure.code);
}

function failureOf(thrown: unknown): Failure {
  if (thrown instanceof CommanderError) return { code: 'USAGE', message: usageMessage(thrown), problems: [] };
  if (thrown instanceof CliError) return ofCommandLine(thrown);
  const error = asError(thrown);
  if (!isMillraceError(error)) return { code: 'FAILED', message: `${error.name}: ${error.message}`, problems: [] };
  const [message = error.code] = error.message.split('\n');
  return { code: error.code, message: inOwnWords(message), problems: error.problems };
}

function ofCommandLine(error: CliError): Failure {
  const { code, message, problems } = error;
  return { code, message: inOwnWords(message), problems, ...(error instanceof RemoteFailure ? { remote: error.remote } : {}) };
}

/** Commander writes `error: unknown option '--jsn'`, and on a line of its own which one is near. */
function usageMessage({ message, command }: CommanderError & { readonly command?: string }): string {
  const [what = '', near = ''] = message.replace(/^error: /, '').split('\n');
  const sentence = /[.!?]$/.test(what) ? what : `${what}.`;
  const advice = near === '' ? '' : ` ${near.replace(/^\((.*)\)$/, '$1')}`;
  return `${sentence.charAt(0).toUpperCase()}${sentence.slice(1)}${advice} See ${command ?? 'millrace'} --help.`;
}

function textOf({ code, message, problems, remote }: Failure): string {
  const lines = [`error: ${printable(message)} [${printable(code)}]`, ...[...problems, ...detailsOf(remote)].map((line) => `  ${printable(line)}`)];
  return `${lines.join('\n')}\n`;
}

/** The message of it is in that of the failure. */
function detailsOf({ code, response }: Partial<RemoteError> = {}): readonly string[] {
  return [...(code === undefined ? [] : [`code: ${code}`]), ...(response === undefined ? [] : [`data: ${JSON.stringify(response)}`])];
}
