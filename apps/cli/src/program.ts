import { VERSION } from '@millrace/host';
import { Argument, Command, type CommanderError } from 'commander';
import { COMMANDS } from './commands/commands.js';
import { CliError } from './failure/cli-error.js';
import { actionOptions, commonOptions } from './session/common-options.js';
import type { CommandGroup, CommandSpec } from './session/command-spec.js';
import { type CommonOptions, type Invocation, Session } from './session/session.js';
import type { Surroundings } from './surroundings/surroundings.js';

const HELP = `
Data goes to standard output, all else to standard error. Commands that change something show their effect and stop, until they
are run again with --execute.

The first of these that is set says whom a command asks: --url, --redis or --context; MILLRACE_URL; REDIS_URL, REDIS_CLUSTER_NODES or
REDIS_SENTINELS; the context in use; redis://127.0.0.1:6379.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 refused or in need of --execute, 5 Redis or the server cannot be
reached, 6 done in part, 7 a check failed, 124 too late, 130 interrupted.

Example:
  millrace topics ls --redis redis://127.0.0.1:6379
`;

/** The whole tree of commands. */
export function createProgram(line: readonly string[], surroundings: Surroundings): Command {
  const program = new Command('millrace')
    .description('Looks after topics, groups, dead letters, jobs and services.')
    .version(VERSION, '--version', 'print the version')
    .helpOption('-h, --help', 'show the help of a command')
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => void surroundings.stdout.write(text),
      writeErr: (text) => void surroundings.stderr.write(text),
      // The error is reported with all others.
      outputError: () => undefined,
    })
    .addHelpText('after', HELP);
  throwing(program, 'millrace');
  for (const option of commonOptions()) program.addOption(option);
  for (const each of COMMANDS) add(each, { program, line, surroundings });
  return program;
}

interface Start {
  readonly program: Command;
  readonly line: readonly string[];
  readonly surroundings: Surroundings;
}

function add(each: CommandGroup | CommandSpec, start: Start): void {
  const { program } = start;
  if ('run' in each) return addCommand(program, each, start);
  const group = program.command(each.name).description(each.summary);
  throwing(group, `millrace ${each.name}`);
  group.addHelpText('after', `\nExample:\n  ${each.commands[0]!.examples[0]}\n`);
  for (const command of each.commands) addCommand(group, command, start);
}

function addCommand(parent: Command, spec: CommandSpec, { program, line, surroundings }: Start): void {
  const own = parent.command(spec.name, { hidden: spec.isHidden === true }).description(spec.summary);
  const command = [...(parent.parent ? ['millrace', parent.name()] : ['millrace']), spec.name].join(' ');
  for (const arg of spec.args ?? []) own.addArgument(typeof arg === 'string' ? new Argument(arg) : arg);
  for (const option of [...(spec.options ?? []), ...(spec.isAction ? actionOptions() : [])]) own.addOption(option);
  own.addHelpText('after', `${spec.help === undefined ? '' : `\n${spec.help}\n`}\nExamples:\n${spec.examples.map((example) => `  ${example}\n`).join('')}`);
  throwing(own, command);
  own.action(async () => {
    const args = own.processedArgs as Invocation['args'];
    await run(spec, new Session({ program, command, line, args, options: own.optsWithGlobals<CommonOptions>() }, surroundings));
  });
}

/** The error of a command line says whose help explains it. */
function throwing(command: Command, name: string): void {
  command.exitOverride((error: CommanderError) => {
    throw Object.assign(error, { command: name });
  });
}

async function run(spec: CommandSpec, session: Session): Promise<void> {
  if (spec.isHost) return spec.run(session);
  const { signal } = session;
  const interrupted = new Promise<never>((_, reject) => {
    const stop = (): void => reject(new CliError('INTERRUPTED', 'Interrupted. An action that had been begun may have been done: look first.'));
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
  });
  try {
    await Promise.race([spec.run(session), interrupted]);
  } finally {
    if (!signal.aborted) await session.close();
  }
}
