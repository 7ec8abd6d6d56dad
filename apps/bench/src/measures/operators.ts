import type { Mutation } from '@millrace/admin';
import { row, type Row } from '../report/row.js';
import type { Stage } from '../stage.js';
import type { Measure } from './measure.js';
import { OperatedTopic } from './operated-topic.js';

const LONGEST_MS = 5;
/** Pages of a list that are read: later ones cost what these do. */
const PAGES = 20;
/** Dead letters that are discarded, and redriven: fewer than there are. */
const LETTERS = 500;
const ACTOR = { actor: 'bench' };

/** How long a use case of operators keeps Redis from everybody else, on a topic with very many messages, packed or each alone. */
export const operators: Measure = {
  name: 'operators',
  seconds: 150,
  async *run(stage) {
    for (const packed of [true, false]) yield* longestOf(stage, packed);
  },
};

async function* longestOf(stage: Stage, packed: boolean): AsyncIterable<Row> {
  const topic = await OperatedTopic.open(stage, packed);
  try {
    for (const [name, work] of Object.entries(USE_CASES)) {
      await topic.probe.timeCalls();
      await work(topic);
      const { ms } = await topic.probe.longestCall();
      const label = `longest call of ${name}, ${stage.options.growth} messages, ${packed ? 'packed' : 'each alone'}`;
      yield row(label, ms, { unit: 'ms', bound: ['<=', LONGEST_MS] });
    }
  } finally {
    await topic.close();
  }
}

type Work = (topic: OperatedTopic) => Promise<unknown>;

/** In this order: those at the end remove what the others look at. */
const USE_CASES: Readonly<Record<string, Work>> = {
  'overview': ({ admin }) => admin.overview(),
  'doctor': ({ admin }) => admin.doctor(),
  'trace': ({ admin }) => paged((cursor) => admin.trace({ traceId: '0'.repeat(32), since: new Date(0), mostEntries: 10_000, ...cursor })),
  'topics.list': ({ admin }) => admin.topics.list(),
  'topics.info': ({ admin, topic }) => admin.topics.info(topic),
  'topics.create': ({ admin }) => confirmed((more) => admin.topics.create({ topic: 'bench.other' }, { ...ACTOR, ...more })),
  'messages.browse': ({ admin, topic }) => paged((cursor) => admin.messages.browse({ topic }, { limit: 500, ...cursor })),
  'messages.browse from the middle': ({ admin, topic, middle }) => admin.messages.browse({ topic }, { from: { offset: middle }, limit: 500 }),
  'messages.find': ({ admin, topic }) =>
    paged((cursor) => admin.messages.find({ topic }, { text: 'nowhere', since: new Date(0), mostEntries: 10_000, ...cursor })),
  'messages.get': ({ admin, topic, middle }) => admin.messages.get({ topic }, { partition: 0, offset: middle }),
  'groups.list': ({ admin, topic }) => admin.groups.list({ topic }),
  'groups.info': ({ admin, done }) => admin.groups.info(done),
  'deadLetters.list': ({ admin }) => admin.deadLetters.list(),
  'deadLetters.browse': ({ admin, done }) => paged((cursor) => admin.deadLetters.browse(done, { limit: 500, ...cursor })),
  'deadLetters.errors': ({ admin, done }) => paged((cursor) => admin.deadLetters.errors(done, { most: 10_000, ...cursor })),
  'deadLetters.discard': ({ admin, done }) => confirmed((more) => admin.deadLetters.discard(done, { all: true, limit: LETTERS, ...ACTOR, ...more })),
  'deadLetters.redrive': ({ admin, done }) => confirmed((more) => admin.deadLetters.redrive(done, { all: true, limit: LETTERS, ...ACTOR, ...more })),
  'groups.pause': ({ admin, done }) => confirmed((more) => admin.groups.pause(done, { ...ACTOR, ...more })),
  'groups.resume': ({ admin, done }) => confirmed((more) => admin.groups.resume(done, { ...ACTOR, ...more })),
  'groups.seek to the beginning': ({ admin, done }) => confirmed((more) => admin.groups.seek(done, { to: 'earliest', ...ACTOR, ...more })),
  'groups.seek to the end': ({ admin, done }) => confirmed((more) => admin.groups.seek(done, { to: 'latest', ...ACTOR, ...more })),
  'groups.remove': ({ admin, done }) => confirmed((more) => admin.groups.remove(done, { ...ACTOR, ...more })),
  'topics.purge, a quarter': ({ admin, topic, quarter }) => confirmed((more) => admin.topics.purge({ topic }, { before: quarter, ...ACTOR, ...more })),
  'topics.purge, unsettled': ({ admin, topic }) => confirmed((more) => admin.topics.purge({ topic }, { unsettled: true, ...ACTOR, ...more })),
  'audit.list': ({ admin }) => admin.audit.list({ limit: 500 }),
  'topics.delete': async (operated) => {
    await operated.fill();
    await operated.probe.timeCalls();
    await confirmed((more) => operated.admin.topics.delete({ topic: operated.topic }, { ...ACTOR, ...more }));
  },
};

type Cursor = Readonly<{ cursor?: string }>;

async function paged(read: (cursor: Cursor) => Promise<{ readonly nextCursor: string | null }>): Promise<void> {
  let cursor: string | undefined;
  for (let page = 0; page < PAGES; page += 1) {
    const { nextCursor } = await read(cursor === undefined ? {} : { cursor });
    if (nextCursor === null) return;
    cursor = nextCursor;
  }
}

interface Confirmation {
  readonly dryRun?: boolean;
  readonly confirm?: string;
}

/** Does an action as its dry run showed it. */
async function confirmed(act: (more: Confirmation) => Promise<Mutation<unknown, unknown>>): Promise<void> {
  const dry = await act({ dryRun: true });
  const confirmation = dry.dryRun ? dry.confirmation : null;
  await act(confirmation === null ? {} : { confirm: confirmation });
}
