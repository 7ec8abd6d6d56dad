import { pathToFileURL } from 'node:url';
import { Option } from 'commander';
import { CliError } from '../failure/cli-error.js';
import type { CommandSpec } from '../session/command-spec.js';
import type { CommonOptions, Session } from '../session/session.js';

const HELP = `The package of the host is taken from the application's own node_modules, else from beside this command. The variables of the
environment set the rest. SIGTERM and Ctrl-C end it with code 0 when its handlers have finished.`;

function host(name: 'worker' | 'server', summary: string): CommandSpec {
  return {
    name,
    summary,
    options: [new Option('--app <file>', 'the JavaScript file that exports your application module (MILLRACE_APP)')],
    isHost: true,
    examples: [`millrace ${name} --app dist/app.module.js`],
    help: HELP,
    run: async (session) => become(await hostFor(session, `@millrace/${name}`), session.options()),
  };
}

/** Runs an application's handlers in this process. */
export const worker = host('worker', 'Run the handlers of an application.');

/** Serves the HTTP API in this process. */
export const server = host('server', 'Serve the HTTP API beside an application.');

/** A host as it is installed for an application. */
export interface InstalledHost {
  /** Absolute path of the file that exports the application module. */
  readonly file: string;
  /** The program of the host. */
  readonly main: string;
}

/** @throws CliError NOT_FOUND; MillraceError INVALID_OPTIONS */
export async function hostFor(session: Session, name: '@millrace/worker' | '@millrace/server'): Promise<InstalledHost> {
  const { applicationFile, packageOf } = await import('@millrace/host');
  const file = applicationFile(session.options<{ app?: string }>().app, session.surroundings.env);
  const main = packageOf(file, `${name}/main`) ?? packageOf(import.meta.filename, `${name}/main`);
  if (main === null) throw new CliError('NOT_FOUND', `No package ${name} is installed beside ${file}. Run npm install ${name} there.`);
  return { file, main };
}

/** This process becomes the host, which ends it; nothing comes behind that. */
export async function become({ file, main }: InstalledHost, { redis, prefix }: Pick<CommonOptions, 'redis' | 'prefix'>): Promise<never> {
  if (redis !== undefined) process.env['REDIS_URL'] = redis;
  if (prefix !== undefined) process.env['MILLRACE_PREFIX'] = prefix;
  // The host reads its own command line.
  process.argv.splice(1, Infinity, main, '--app', file);
  await import(pathToFileURL(main).href);
  return new Promise<never>(() => undefined);
}
