import type { Argument, Command, Option } from 'commander';

/** Which names of things may stand in a place of a command line. */
export type NameKind = 'topic' | 'group' | 'service' | 'context';

/** Words with which a command line may go on. */
export interface Candidates {
  /** Words of the tree of commands that begin as the word at the cursor does. */
  readonly words: readonly string[];
  /** Names that only a Redis or a server knows; null for none. */
  readonly names: NameKind | null;
  /** The arguments before the cursor: a group belongs to the topic among them. */
  readonly args: readonly string[];
}

const KINDS: ReadonlySet<string> = new Set<NameKind>(['topic', 'group', 'service', 'context']);

/** @param words all behind the name of the program; the last one is at the cursor, and may be empty */
export function candidatesFor(program: Command, words: readonly string[]): Candidates {
  const { command, args, valued } = placeOf(program, words.slice(0, -1));
  const current = words.at(-1) ?? '';
  const fit = (all: readonly string[], names: string | null = null): Candidates => {
    return { words: all.filter((word) => word.startsWith(current)), names: KINDS.has(names ?? '') ? (names as NameKind) : null, args };
  };
  if (valued) return fit(valued.argChoices ?? [], valued.attributeName());
  if (current.startsWith('-')) return fit(optionsOf(command).flatMap(({ long }) => (long ? [long] : [])));
  const own = command.createHelp().visibleCommands(command).map((each) => each.name());
  if (own.length > 0) return fit(args.length === 0 ? own : []);
  const argument = argumentAt(command.registeredArguments, args.length);
  return fit(argument?.argChoices ?? [], argument?.name() ?? null);
}

function argumentAt(declared: readonly Argument[], index: number): Argument | undefined {
  const last = declared.at(-1);
  return declared[index] ?? (last?.variadic ? last : undefined);
}

interface Place {
  readonly command: Command;
  readonly args: readonly string[];
  /** The option whose value is at the cursor. */
  readonly valued: Option | null;
}

function placeOf(program: Command, words: readonly string[]): Place {
  let [command, valued]: [Command, Option | null] = [program, null];
  const args: string[] = [];
  for (const word of words) {
    const isValue: boolean = valued !== null && !word.startsWith('-');
    valued = isValue ? null : valuedOption(command, word);
    if (isValue || word.startsWith('-')) continue;
    const inner: Command | undefined = command.commands.find((each) => each.name() === word);
    if (inner) command = inner;
    else args.push(word);
  }
  return { command, args, valued };
}

function valuedOption(command: Command, word: string): Option | null {
  const named = optionsOf(command).find(({ short, long }) => word === short || word === long);
  return named && (named.required || named.optional) ? named : null;
}

/** Its own and those of every command. */
function optionsOf(command: Command): Option[] {
  return [...command.options, ...(command.parent ? optionsOf(command.parent) : [])];
}
