import type { Argument, Option } from 'commander';
import type { Session } from './session.js';

/** A command: `ls`. */
export interface CommandSpec {
  readonly name: string;
  /** One sentence. */
  readonly summary: string;
  /** `<topic>`, `[id]`, `<topic...>`. */
  readonly args?: readonly (string | Argument)[];
  /** Its own options, beside those of every command. */
  readonly options?: readonly Option[];
  /** It changes something: it has `--execute` and `--yes`. */
  readonly isAction?: boolean;
  /** It becomes a process that stops by itself when it is asked to: Ctrl-C does not cut it off. */
  readonly isHost?: boolean;
  /** It is for programs: no list of commands names it. */
  readonly isHidden?: boolean;
  /** Lines of a shell, one at least. */
  readonly examples: readonly [string, ...string[]];
  /** A paragraph of its help. */
  readonly help?: string;
  readonly run: (session: Session) => Promise<void>;
}

/** Commands about the same thing: `topics`. */
export interface CommandGroup {
  readonly name: string;
  readonly summary: string;
  readonly commands: readonly CommandSpec[];
}
