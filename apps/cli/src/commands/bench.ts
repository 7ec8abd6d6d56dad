import { asError, durationMs, newMessageId } from '@millrace/core';
import { Option } from 'commander';
import * as circuits from '../bench/circuits.js';
import { type Figures, measure } from '../bench/figures.js';
import { removeKeys } from '../bench/remove-keys.js';
import { placeOf } from '../connection/connection.js';
import { CliError, usage } from '../failure/cli-error.js';
import { REQUEST_TIMEOUT } from '../operator/time-limit.js';
import { BYTES, COUNT, SECONDS, TEXT } from '../output/humanise.js';
import type { Column } from '../output/table.js';
import type { CommandGroup, CommandSpec } from '../session/command-spec.js';
import { whole } from '../session/common-options.js';
import { lineToRun } from '../session/line-to-run.js';
import type { Session } from '../session/session.js';

type Kind = 'pub' | 'sub' | 'rpc' | 'jobs';

interface BenchOptions {
  readonly messages: number;
  readonly size: number;
  /** For topics alone. */
  readonly partitions?: number;
}

/** The keys that are written, and their place. */
interface Writing extends BenchOptions {
  readonly kind: Kind;
  readonly prefix: string;
}

const WRITING: readonly Column<Writing>[] = [
  { title: 'measures', form: TEXT, of: ({ kind }) => kind },
  { title: 'messages', form: COUNT, of: ({ messages }) => messages },
  { title: 'size', form: BYTES, of: ({ size }) => size },
  { title: 'partitions', form: COUNT, of: ({ partitions }) => partitions },
];

const FIGURES: readonly Column<Writing & Figures>[] = [
  ...WRITING,
  { title: 'at once', form: COUNT, of: ({ inFlight }) => inFlight },
  { title: 'time', form: SECONDS, of: ({ seconds }) => seconds },
  { title: 'per second', form: COUNT, of: ({ perSecond }) => perSecond },
  { title: 'p50 ms', form: COUNT, of: ({ p50Ms }) => p50Ms },
  { title: 'p95 ms', form: COUNT, of: ({ p95Ms }) => p95Ms },
  { title: 'p99 ms', form: COUNT, of: ({ p99Ms }) => p99Ms },
  { title: 'cpu µs', form: COUNT, of: ({ cpuMicros }) => cpuMicros },
];

const HELP = `It writes to the Redis: with --execute it makes keys of a prefix of its own, <prefix>-bench-<id>, and removes them by SCAN and UNLINK at its end,
also at Ctrl-C. A process that is killed leaves them behind. 64 messages are on their way at once, after a tenth as many that do not
count. cpu µs is the time of the processor that this process had for each message, as sender and as receiver. Figures of one process, on a
server that others use, say little about what many processes reach.`;

/** Bytes that messages may take in Redis before they are removed, and what one takes beside its text, about. */
const [MOST_BYTES, BESIDE_TEXT] = [2 ** 30, 200];

const NOTE = 'Figures of one process, on a server that others may use, say little about another place, or about what many processes reach together.';

function bench(kind: Kind, summary: string, hasPartitions = false): CommandSpec {
  const partitions = new Option('--partitions <n>', 'the partitions of the topic').argParser(whole(1, 256)).default(4);
  return {
    name: kind,
    summary,
    options: [
      new Option('--messages <n>', 'how many are sent').argParser(whole(1, 1_000_000)).default(10_000),
      new Option('--size <bytes>', 'the size of the text in each').argParser(whole(0, 500_000)).default(100),
      ...(hasPartitions ? [partitions] : []),
    ],
    isAction: true,
    // It cleans up after Ctrl-C.
    isHost: true,
    help: HELP,
    examples: [`millrace bench ${kind} --execute`, `millrace bench ${kind} --messages 100000 --size 1000 --execute --json`],
    run: (session) => run(session, kind),
  };
}

export const benches: CommandGroup = {
  name: 'bench',
  summary: 'Measure a Redis from here, with messages that are removed afterwards.',
  commands: [
    bench('pub', 'Measure publishes, until Redis has the message.', true),
    bench('sub', 'Measure messages from the publish to the handler of a group.', true),
    bench('rpc', 'Measure calls, until the answer is here.'),
    bench('jobs', 'Measure jobs from the enqueuing to the handler.'),
  ],
};

async function run(session: Session, kind: Kind): Promise<void> {
  const place = placeOf(session.options(), session.surroundings.env);
  if ('url' in place) throw usage('It measures a Redis, and a server would stand between. Say --redis.');
  const { messages, size, partitions, execute } = session.options<BenchOptions>();
  if (messages * (size + BESIDE_TEXT) > MOST_BYTES) throw usage('The messages would take more than 1 GiB of the Redis. Say fewer --messages, or a smaller --size.');
  const prefix = `${place.prefix}-bench-${newMessageId()}`.slice(-128);
  const writing: Writing = { kind, prefix, messages, size, ...(partitions === undefined ? {} : { partitions }) };
  const { output } = session;
  if (!execute) {
    output.record(writing, { columns: WRITING, id: () => kind });
    throw new CliError('NEEDS_EXECUTE', `Nothing was done. To write them to the Redis, and remove them again, run: ${await lineToRun(session.invocation.line, ['--execute'])}`);
  }
  const figures = await measured(session, { redis: place.redis, writing });
  output.record({ ...writing, ...figures }, { columns: FIGURES, id: () => `${figures.perSecond}` });
  output.note(NOTE);
}

interface Measuring {
  readonly redis: string | null;
  readonly writing: Writing;
}

async function measured(session: Session, { redis: url, writing }: Measuring): Promise<Figures> {
  const { connectRedis, redisTarget } = await import('@millrace/redis');
  const { surroundings: { env }, signal, output } = session;
  const { kind, prefix, messages, size, partitions = 1 } = writing;
  const target = redisTarget(url ?? undefined, env);
  const redis = await connectRedis({ ...target, name: 'millrace-bench' });
  try {
    output.note(`It writes under the prefix ${prefix}, until it ends.`);
    const circuit = await circuits[kind]({ redis, target, prefix, size, partitions });
    const silentMs = durationMs(session.options().requestTimeout ?? REQUEST_TIMEOUT);
    return await measure({ messages, send: (number) => circuit.send(number), signal, silentMs }).finally(() => circuit.close());
  } finally {
    await removeKeys(redis, prefix).catch((thrown: unknown) => {
      output.note(`Keys of the prefix ${prefix} may be left: ${asError(thrown).message} Remove them with redis-cli --scan --pattern '*${prefix}*' and UNLINK.`);
    });
    redis.close();
  }
}
