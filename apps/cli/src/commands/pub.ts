import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { setTimeout as wait } from 'node:timers/promises';
import type { Mutation, PublishImpact } from '@millrace/admin';
import { asError, type PublishResult } from '@millrace/core';
import { Option } from 'commander';
import { CliError, usage } from '../failure/cli-error.js';
import type { JsonOf } from '../operator/operator.js';
import { COUNT } from '../output/humanise.js';
import { act } from '../session/act.js';
import type { CommandSpec } from '../session/command-spec.js';
import { rate, whole } from '../session/common-options.js';
import { lineToRun } from '../session/line-to-run.js';
import type { Session } from '../session/session.js';
import { EFFECT, messageOf, messageOptions, payloadIn, PUBLISHED } from './published-shape.js';

const OPERATION = 'messages.publish';

interface PubOptions {
  readonly file?: string;
  readonly count: number;
  readonly rate?: number;
  readonly idempotencyKey?: string;
}

export const pub: CommandSpec = {
  name: 'pub',
  summary: 'Publish messages onto a topic.',
  args: ['<topic>', '[payload]'],
  options: [
    ...messageOptions(),
    new Option('-f, --file <path>', 'a message for each line of this file, which is its payload as JSON'),
    new Option('--count <n>', 'publish the payload so many times').argParser(whole(1, 1_000_000)).default(1),
    new Option('--rate <n/s>', 'so many a second at the most, as 50/s').argParser(rate),
  ],
  isAction: true,
  help: 'The payload is JSON; - reads it from standard input. No class validates it here: a group gives up what its handlers cannot read.',
  examples: [
    "millrace pub shop.orders '{\"total\":5}' --key c-7",
    "millrace pub shop.orders '{\"total\":5}' --count 100 --rate 50/s --execute",
    'millrace pub shop.orders --file orders.ndjson --execute',
  ],
  run: async (session) => {
    const { file, count } = session.options<PubOptions>();
    const given = session.arg(1);
    if ((given === '') === (file === undefined)) throw usage('Say what to publish: a payload, - or --file, and one of them alone. See millrace pub --help.');
    if (file !== undefined && count > 1) throw usage('--count publishes one payload so many times, and --file each of its lines once. Leave one out.');
    if (file !== undefined) return publishMany(session, () => payloadsIn(file));
    const payload = payloadIn(given === '-' ? await text(session.surroundings.stdin) : given, 'The payload');
    return count === 1 ? publishOne(session, payload) : publishMany(session, () => repeated(payload, count));
  },
};

async function publishOne(session: Session, payload: unknown): Promise<void> {
  const topic = session.arg(0);
  await act<PublishImpact, PublishResult>(session, {
    operation: OPERATION, target: { topic }, options: { ...messageOf(session.options()), payload }, name: topic,
    impact: EFFECT, result: PUBLISHED.columns,
  });
}

type Payloads = () => AsyncIterable<unknown>;

/** All payloads are read before the first is published, so that a line that is no JSON stops nothing half way. */
async function publishMany(session: Session, payloads: Payloads): Promise<void> {
  const { idempotencyKey, execute } = session.options<PubOptions>();
  if (idempotencyKey !== undefined) throw usage('--idempotency-key stores one message: publish it without --count and --file.');
  const messages = await countOf(payloads());
  if (messages === 0) throw usage('There is no line in the file. See millrace pub --help.');
  if (!execute) {
    await showEffect(session, payloads, messages);
    throw new CliError('NEEDS_EXECUTE', `Nothing was done. To do it, run: ${await lineToRun(session.invocation.line, ['--execute'])}`);
  }
  await publishAll(session, payloads, messages);
}

async function showEffect(session: Session, payloads: Payloads, messages: number): Promise<void> {
  for await (const payload of payloads()) {
    const options = { ...messageOf(session.options()), payload, dryRun: true };
    const dry = await session.ask<Mutation<PublishImpact, PublishResult>>(OPERATION, { topic: session.arg(0) }, options);
    const effect = { dryRun: true, impact: { messages, ...dry.impact }, confirmation: null };
    const columns = [{ title: 'messages', form: COUNT, of: () => messages }, ...EFFECT.slice(1).map((column) => ({
      ...column, of: ({ impact }: typeof effect) => column.of(impact),
    }))];
    session.output.record(effect, { columns, id: () => '' });
    return;
  }
}

/** @throws CliError PARTIAL */
async function publishAll(session: Session, payloads: Payloads, messages: number): Promise<void> {
  const { rate: perSecond } = session.options<PubOptions>();
  const [topic, began] = [session.arg(0), performance.now()];
  let published = 0;
  for await (const payload of payloads()) {
    const dueMs = perSecond === undefined ? 0 : began + (published / perSecond) * 1_000 - performance.now();
    if (dueMs > 0) await wait(dueMs, undefined, { signal: session.signal });
    try {
      const options = { ...messageOf(session.options()), payload };
      const done = await session.ask<Mutation<PublishImpact, PublishResult>>(OPERATION, { topic }, options);
      session.output.stream([(done as { readonly result: JsonOf<PublishResult> }).result], PUBLISHED);
      published += 1;
    } catch (thrown) {
      if (published === 0) throw thrown;
      throw new CliError('PARTIAL', `${published} of ${messages} messages were published; then: ${asError(thrown).message}`);
    }
  }
}

async function countOf(payloads: AsyncIterable<unknown>): Promise<number> {
  const all = payloads[Symbol.asyncIterator]();
  let count = 0;
  while (!(await all.next()).done) count += 1;
  return count;
}

// eslint-disable-next-line @typescript-eslint/require-await -- as one that reads a file
async function* repeated(payload: unknown, count: number): AsyncGenerator {
  for (let number = 0; number < count; number += 1) yield payload;
}

/** @throws CliError USAGE */
async function* payloadsIn(file: string): AsyncGenerator {
  const lines = createInterface({ input: createReadStream(file), crlfDelay: Infinity });
  let number = 0;
  try {
    for await (const line of lines) {
      number += 1;
      if (line.trim() !== '') yield payloadIn(line, `Line ${number} of ${file}`);
    }
  } catch (thrown) {
    const error = asError(thrown);
    throw error instanceof CliError ? error : usage(`The file ${file} cannot be read: ${error.message}.`);
  }
}
