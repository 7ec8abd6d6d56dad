import type { GroupAtRaise, RaiseImpact } from '@millrace/admin';
import type { PartitionsRaised } from '@millrace/streams';
import { Option } from 'commander';
import { usage } from '../failure/cli-error.js';
import type { JsonOf } from '../operator/operator.js';
import { COUNT, LIST, TEXT, YES_NO } from '../output/humanise.js';
import type { Column } from '../output/table.js';
import { act, part } from '../session/act.js';
import type { CommandSpec } from '../session/command-spec.js';
import { whole } from '../session/common-options.js';

const RAISED: readonly Column<Pick<PartitionsRaised, 'from' | 'to' | 'changed'>>[] = [
  { title: 'from', form: COUNT, of: ({ from }) => from },
  { title: 'to', form: COUNT, of: ({ to }) => to },
  { title: 'changes', form: YES_NO, of: ({ changed }) => changed },
];

const GROUP: readonly Column<JsonOf<GroupAtRaise>>[] = [
  { title: 'group', form: TEXT, of: ({ group }) => group },
  { title: 'lag', form: COUNT, of: ({ lag }) => lag },
  { title: 'put aside', form: COUNT, of: ({ parked }) => parked },
];

export const raise: CommandSpec = {
  name: 'raise',
  summary: 'Raise the number of partitions of a topic, which never goes back.',
  args: ['<topic>'],
  options: [new Option('--partitions <n>', 'the number that it is to have, 2 to 256 (needed)').argParser(whole(2, 256))],
  isAction: true,
  examples: ['millrace topics raise shop.orders --partitions 6', 'millrace topics raise shop.orders --partitions 6 --execute --yes'],
  help: 'Applications run on meanwhile, and go on with the new number by themselves; deploy it in @Topic after this. An ordered group handles '
    + 'nothing from after the raise before its lag from before is done, and what is put aside is released. Prefer a multiple of the number that there is.',
  run: async (session) => {
    const { partitions } = session.options<{ partitions?: number }>();
    if (partitions === undefined) throw usage('Say how many partitions the topic is to have: --partitions. See millrace topics raise --help.');
    const topic = session.arg(0);
    await act<RaiseImpact, PartitionsRaised>(session, {
      operation: 'topics.raisePartitions', target: { topic }, options: { partitions }, name: topic, impact: RAISED,
      parts: ({ groups }) => [part('Groups, and what each has to do still', groups, GROUP)],
      result: [...RAISED, { title: 'groups', form: LIST, of: ({ groups }) => groups }],
    });
  },
};
