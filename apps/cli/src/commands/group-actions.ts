import type { PauseImpact, Resumed, SeekImpact } from '@millrace/admin';
import type { GroupRemoval, PauseResult } from '@millrace/streams';
import { Option } from 'commander';
import { usage } from '../failure/cli-error.js';
import type { JsonOf } from '../operator/operator.js';
import { COUNT, LIST, MOMENT, TEXT, YES_NO } from '../output/humanise.js';
import type { Column } from '../output/table.js';
import { act, part } from '../session/act.js';
import type { CommandSpec } from '../session/command-spec.js';
import { whole } from '../session/common-options.js';
import { position, type PositionOption } from '../session/moments.js';
import type { Session } from '../session/session.js';
import { removalOptions, type RemovalOptions, REMOVED_GROUP, waitingFor, withinOption } from './removed-group.js';

const PAUSE: readonly Column<JsonOf<PauseImpact>>[] = [
  { title: 'paused before', form: YES_NO, of: ({ before }) => before !== null },
  { title: 'paused by', form: TEXT, of: ({ before }) => before?.by },
  { title: 'paused since', form: MOMENT, of: ({ before }) => before?.since },
  { title: 'held by breakers', form: LIST, of: ({ broken }) => broken.map(({ member }) => member) },
];

/** Members that a breaker holds. */
export const HELD_BY_BREAKERS: readonly Column<JsonOf<PauseImpact>['broken'][number]>[] = [
  { title: 'member', form: TEXT, of: ({ member }) => member },
  { title: 'since', form: MOMENT, of: ({ since }) => since },
  { title: 'why', form: TEXT, of: ({ why }) => why },
];

const SUMS: readonly Column<JsonOf<SeekImpact>>[] = [
  { title: 'again', form: COUNT, of: ({ again }) => again },
  { title: 'skipped', form: COUNT, of: ({ skipped }) => skipped },
];

const STEP: readonly Column<JsonOf<SeekImpact>['steps'][number]>[] = [
  { title: 'partition', form: COUNT, of: ({ partition }) => partition },
  { title: 'from', form: COUNT, of: ({ from }) => from },
  { title: 'to', form: COUNT, of: ({ to }) => to },
  { title: 'again', form: COUNT, of: ({ again }) => again },
  { title: 'skipped', form: COUNT, of: ({ skipped }) => skipped },
  { title: 'retries dropped', form: COUNT, of: ({ retriesDropped }) => retriesDropped },
];

const HELD = withinOption('how long to wait until no member holds a message any more');

interface SeekOptions {
  readonly to?: PositionOption;
  readonly partition?: number;
  readonly force?: boolean;
  readonly within?: string;
}

export const seek: CommandSpec = {
  name: 'seek',
  summary: 'Set a group to another position, after a preview.',
  args: ['<topic>', '<group>'],
  options: [
    new Option('--to <position>', 'earliest, latest, a time, how long ago as -15m, an offset, or shift:-100 (needed)')
      .argParser(position),
    new Option('--partition <n>', 'one partition alone').argParser(whole(0, 255)),
    new Option('--force', 'handle messages again though a handler with idempotency has done them'),
    HELD,
  ],
  isAction: true,
  help: 'A message that the group handles after the preview makes the confirmation stale: pause the group first.',
  examples: ['millrace groups seek shop.orders billing --to -15m', 'millrace groups seek shop.orders billing --to 2026-05-01T10:00:00Z --execute --yes'],
  run: async (session) => {
    const { to, partition, force, within } = session.options<SeekOptions>();
    if (to === undefined) throw usage('Say where the group goes on: --to. See millrace groups seek --help.');
    await act<SeekImpact, SeekImpact>(session, {
      operation: 'groups.seek', ...namesOf(session), options: { ...to, partition, force, within },
      impact: SUMS, parts: ({ steps }) => [part('Partitions', steps, STEP)], result: SUMS,
    });
  },
};

export const pause: CommandSpec = {
  name: 'pause',
  summary: 'Pause a group until it is resumed.',
  args: ['<topic>', '<group>'],
  options: [HELD],
  isAction: true,
  examples: ['millrace groups pause shop.orders billing --execute'],
  run: async (session) => {
    const { within } = session.options<{ within?: string }>();
    await act<PauseImpact, PauseResult>(session, {
      operation: 'groups.pause', ...namesOf(session), options: { within }, impact: PAUSE,
      result: [{ title: 'still at work', form: LIST, of: ({ busy }) => busy }],
      left: ({ busy }) => `The group is paused, and ${busy.join(', ')} still held messages. Wait until they end, or ask again with a longer --within.`,
    });
  },
};

export const resume: CommandSpec = {
  name: 'resume',
  summary: 'Resume a group, and let members go on that a breaker holds.',
  args: ['<topic>', '<group>'],
  isAction: true,
  help: 'A member that a breaker holds begins as new: while its handler still fails, messages use up their attempts and become dead letters ' +
    'until the breaker holds it again. By itself it tries a few messages from time to time, and goes on when they are handled.',
  examples: ['millrace groups resume shop.orders billing --execute'],
  run: async (session) => {
    await act<PauseImpact, Resumed>(session, {
      operation: 'groups.resume', ...namesOf(session), impact: PAUSE,
      parts: ({ broken }) => [part('Members that a breaker holds: a fault that is still there makes dead letters', broken, HELD_BY_BREAKERS)],
      result: [{ title: 'changed', form: YES_NO, of: ({ changed }) => changed }],
    });
  },
};

export const rm: CommandSpec = {
  name: 'rm',
  summary: 'Remove a group with its waiting messages and its dead letters.',
  args: ['<topic>', '<group>'],
  options: removalOptions(),
  isAction: true,
  examples: ['millrace groups rm shop.orders billing', 'millrace groups rm shop.orders billing --execute --yes'],
  run: async (session) => {
    const { force, within } = session.options<RemovalOptions>();
    await act<GroupRemoval, GroupRemoval>(session, {
      operation: 'groups.remove', ...namesOf(session), options: { force, within }, impact: REMOVED_GROUP, result: REMOVED_GROUP,
      note: (group) => waitingFor([group], { force, within }),
    });
  },
};

function namesOf(session: Session): { target: { topic: string; group: string }; name: string } {
  const [topic, group] = [session.arg(0), session.arg(1)];
  return { target: { topic, group }, name: group };
}
