import { ENVIRONMENT } from '@millrace/nestjs';
import { allBlocks } from './documents.js';
import { has, read } from './repository.js';

/** A command that a document tells its reader to run. */
export interface ShellCommand {
  readonly document: string;
  readonly words: readonly string[];
}

type Check = (args: readonly string[]) => string[];

const { scripts, dependencies, devDependencies } = JSON.parse(read('package.json')) as Record<string, Record<string, string>>;

/** The checks by the first word of a command. A command without a check is a problem too. */
const CHECKS: Readonly<Record<string, Check>> = {
  npm: npmProblems,
  // test/documents/guides/hosting.spec.ts runs those of Millrace as they stand.
  npx: ([tool = '']) => (tool === 'tsc' || tool.startsWith('millrace') ? [] : [`npx ${tool} is not checked by any test`]),
  node: ([file = '']) => (examplesThatRun().includes(file) ? [] : [`no example is compiled to ${file}`]),
  docker: dockerProblems,
  echo: ([text = '']) => variableProblems(text.replace(/^"/, '').split('=')[0]!),
  export: (assignments) => assignments.flatMap((assignment) => variableProblems(assignment.split('=')[0]!)),
  // libs/nestjs/test/users-acl.spec.ts runs these two as they stand.
  'digest=$(printf': () => [],
  sed: (args) => (has(args.at(-1)!) ? [] : [`${args.at(-1)} is not there`]),
  // test/documents/guides/operate.spec.ts runs these as they stand.
  millrace: () => [],
  '.ci/run': () => (has('.ci/run') ? [] : ['.ci/run is not there']),
};

/** The commands of the shell blocks and, of running text, those that begin as `npm` ones do. */
export function shellCommands(document: string): ShellCommand[] {
  const blocks = allBlocks().filter((block) => block.document === document && block.language === 'sh');
  const spans = [...withoutBlocks(read(document)).matchAll(/`((?:npm (?:run|test|ci)|\.ci\/)[^`]*)`/g)].map(([, span = '']) => span);
  const lines = [...blocks.flatMap(({ text }) => text.split('\n')), ...spans];
  return lines.flatMap(commandsOf).map((words) => ({ document, words }));
}

/** Everything that would not work if a reader ran it; empty when all is well. */
export function problemsOf({ document, words: [command = '', ...args] }: ShellCommand): string[] {
  const check = CHECKS[command];
  const problems = check ? check(args) : [`${command} is not checked by any test`];
  return problems.map((problem) => `${document}: ${[command, ...args].join(' ')}: ${problem}`);
}

function commandsOf(line: string): string[][] {
  const command = line.replace(/(^|\s+)#.*$/, '').trim();
  return command === '' ? [] : command.split('&&').map((part) => part.trim().split(/\s+/));
}

function withoutBlocks(text: string): string {
  return text.replace(/^```[^]*?^```$/gm, '');
}

function npmProblems(args: readonly string[]): string[] {
  const [verb = '', ...rest] = args.filter((word) => !word.startsWith('--') || word === '--');
  if (verb === 'ci') return has('package-lock.json') ? [] : ['there is no lock file'];
  if (verb === 'install') return rest.flatMap(packageProblems);
  const script = verb === 'run' ? rest[0]! : verb;
  return script in scripts! ? [] : [`package.json has no script ${script}`];
}

/** A package by its name, `@scope/name@12`, or the archives that `npm run packages` makes. */
function packageProblems(word: string): string[] {
  if (word.endsWith('.tgz')) return word.endsWith('dist/packages/*.tgz') ? [] : ['npm run packages makes no such archive'];
  const [, name = word, major] = /^(@?[^@]+)(?:@(\d+))?$/.exec(word) ?? [];
  const ours = { ...dependencies, ...devDependencies }[name];
  if (ours === undefined) return [`no test of ours uses ${name}`];
  const isOther = major !== undefined && !ours.startsWith(`${major}.`) && name !== '@types/node';
  return isOther ? [`we test with ${name} ${ours}`] : [];
}

function dockerProblems(args: readonly string[]): string[] {
  const file = (args[args.indexOf('-f') + 1] ?? '').replace(/^path\/to\/millrace\//, '');
  if (!has(file)) return [`${file} is not there`];
  const profile = args.includes('--profile') ? args[args.indexOf('--profile') + 1] : undefined;
  return profile === undefined || read(file).includes(profile) ? [] : [`${file} has no profile ${profile}`];
}

function variableProblems(name: string): string[] {
  return ENVIRONMENT.some((variable) => variable.name === name) ? [] : [`Millrace reads no ${name}`];
}

/** As `npx tsc` puts them. */
function examplesThatRun(): string[] {
  const named = allBlocks().filter(({ language, name }) => language === 'ts' && name !== null);
  return named.map(({ name }) => `dist/${name!.replace(/\.ts$/, '.js')}`);
}
