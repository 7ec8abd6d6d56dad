import type { CommandGroup, CommandSpec } from '../session/command-spec.js';
import { groups } from './groups.js';
import { topics } from './topics.js';

/** The tree of commands: one file each, one line here. */
export const COMMANDS: readonly (CommandGroup | CommandSpec)[] = [topics, groups];
