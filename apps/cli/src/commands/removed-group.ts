import type { GroupRemoval } from '@millrace/streams';
import { Option } from 'commander';
import type { JsonOf } from '../operator/operator.js';
import { COUNT, LIST, TEXT } from '../output/humanise.js';
import type { Column } from '../output/table.js';
import { duration } from '../session/common-options.js';

const DEFAULT_WITHIN = '30s';

/** The options of what removes groups. */
export interface RemovalOptions {
  readonly force?: boolean;
  readonly within?: string;
}

/** The effects of the removal of a group. */
export const REMOVED_GROUP: readonly Column<JsonOf<GroupRemoval>>[] = [
  { title: 'group', form: TEXT, of: ({ group }) => group },
  { title: 'lag', form: COUNT, of: ({ lag }) => lag },
  { title: 'pending', form: COUNT, of: ({ pending }) => pending },
  { title: 'retrying', form: COUNT, of: ({ retrying }) => retrying },
  { title: 'forwarding', form: COUNT, of: ({ forwarding }) => forwarding },
  { title: 'dead letters', form: COUNT, of: ({ deadLetters }) => deadLetters },
  { title: 'members', form: LIST, of: ({ members }) => members },
];

export function removalOptions(): Option[] {
  return [
    new Option('--force', 'though members live: they notice it, and stop reading'),
    withinOption('how long to wait for the last member to leave'),
  ];
}

/** Tells of the wait for members, which nothing else shows; null where there is none to wait for. */
export function waitingFor(groups: readonly JsonOf<GroupRemoval>[], options: RemovalOptions): string | null {
  const { force, within = DEFAULT_WITHIN } = options;
  const members = [...new Set(groups.flatMap((group) => group.members))];
  if (force || members.length === 0) return null;
  return `It waits up to ${within} for ${members.join(', ')} to leave or to be dead, and is refused after that. With --force it is done at once.`;
}

export function withinOption(what: string): Option {
  return new Option('--within <duration>', `${what}; default ${DEFAULT_WITHIN}`).argParser(duration);
}
