import type { FoundPage, MessageView, TracedMessage, TracePage } from '@millrace/admin';
import type { Duration } from '@millrace/core';
import { Option } from 'commander';
import { CliError, usage } from '../failure/cli-error.js';
import type { JsonOf, OperationOptions } from '../operator/operator.js';
import { LIST, TEXT } from '../output/humanise.js';
import type { Shape } from '../output/output.js';
import type { Column } from '../output/table.js';
import type { CommandGroup, CommandSpec } from '../session/command-spec.js';
import { duration, limitOption } from '../session/common-options.js';
import { type FilterOptions, filterOf, filterOptions, header } from '../session/filter-options.js';
import { moment } from '../session/moments.js';
import { search, tellSearched } from '../session/search.js';
import type { Session } from '../session/session.js';
import { MESSAGE, MESSAGES } from './message-shape.js';
import { PLACE } from './place.js';
import { republish } from './republish.js';

const TRACED: Shape<JsonOf<TracedMessage>> = {
  id: ({ message }) => MESSAGES.id(message),
  columns: [
    { title: 'topic', form: TEXT, of: ({ topic }) => topic },
    ...MESSAGES.columns.slice(0, -1).map(ofMessage),
    { title: 'groups', form: LIST, of: ({ deliveries }) => deliveries?.map(({ group, state }) => `${group} ${state}`) },
    ...MESSAGES.columns.slice(-1).map(ofMessage),
  ],
};

interface Bounds {
  readonly since?: Date;
  readonly limit: number;
  readonly for: Duration;
}

const SINCE = new Option('--since <when>', 'messages that were stored since then; default: the last hour').argParser(moment);
const WITHIN = new Option('--for <duration>', 'look for so long at the most').argParser(duration).default('1m');

const get: CommandSpec = {
  name: 'get',
  summary: 'Show one message, by its place or by its id.',
  args: ['<topic>', '<place>'],
  options: [SINCE, WITHIN],
  help: 'A place is the partition and the offset, as 0:42. An id is looked for since an hour before the time in it.',
  examples: ['millrace messages get shop.orders 0:42', 'millrace messages get shop.orders 01980a5e-7e2c-7cc1-8f0a-3d6a2f4b9c11 --json'],
  run: async (session) => {
    const [topic, place] = [session.arg(0), session.arg(1)];
    session.output.record(await oneAt(session, topic, place), MESSAGE);
  },
};

const find: CommandSpec = {
  name: 'find',
  summary: 'Look for messages by their ids, keys, headers, texts or parts.',
  args: ['<topic>'],
  options: [new Option('--id <id>', 'the message with this id'), ...filterOptions(), SINCE, limitOption(50, 'messages'), WITHIN],
  examples: ['millrace messages find shop.orders --key c-7 --since 2h', "millrace messages find shop.orders --where 'payload.total>100' --jsonl"],
  run: async (session) => {
    const { id, since, limit, for: within, ...filter } = session.options<FilterOptions & Bounds & { id?: string }>();
    const wanted = { id, ...filterOf(filter) };
    if (Object.values(wanted).every((part) => part === undefined)) {
      throw usage('Say what to look for: --id, --key, --type, --header, --text or --where. See millrace messages find --help.');
    }
    const question = { operation: 'messages.find', target: { topic: session.arg(0) }, options: { ...wanted, since } };
    const found = await search<FoundPage>(session, { ...question, limit, within });
    session.output.list(found, MESSAGES);
    tellSearched(session, found, limit);
  },
};

const trace: CommandSpec = {
  name: 'trace',
  summary: 'Look through all topics for the messages of a trace.',
  args: ['[id]'],
  options: [
    new Option('--header <name=value>', 'messages with this header, such as one that correlates them').argParser(header),
    SINCE, limitOption(200, 'messages'), WITHIN,
  ],
  help: 'An id is that of a message, or that of a trace: 32 hex digits. The groups of a topic stand with the state of the message in each.',
  examples: ['millrace messages trace 4bf92f3577b34da6a3ce929d0e0e4736', 'millrace messages trace --header correlation-id=c-7 --since 1d'],
  run: async (session) => {
    const { since, limit, for: within, header: headers } = session.options<Bounds & { header?: Record<string, string> }>();
    const options = { ...tracedBy(session.arg(0), headers), since };
    const found = await search<TracePage>(session, { operation: 'trace', options, limit, within });
    const items = [...found.items].sort((one, other) => (one.message.storedAt < other.message.storedAt ? -1 : 1));
    session.output.list({ ...found, items }, TRACED);
    tellSearched(session, found, limit);
  },
};

export const messages: CommandGroup = { name: 'messages', summary: 'Messages: find, show, follow.', commands: [get, find, trace, republish] };

function ofMessage(column: Column<JsonOf<MessageView>>): Column<JsonOf<TracedMessage>> {
  return { ...column, of: ({ message }) => column.of(message) };
}

async function oneAt(session: Session, topic: string, place: string): Promise<JsonOf<MessageView>> {
  const [, partition, offset] = PLACE.exec(place) ?? [];
  const advice = `There is no message ${place} on ${topic} (any more). Look with millrace messages find ${topic}.`;
  if (partition !== undefined && offset !== undefined) {
    return session.find<MessageView | null>({ operation: 'messages.get', target: { topic, partition, offset } }, advice);
  }
  const { since, for: within } = session.options<Omit<Bounds, 'limit'>>();
  const question = { operation: 'messages.find', target: { topic }, options: { id: place, since } };
  const found = await search<FoundPage>(session, { ...question, limit: 1, within });
  const [message] = found.items;
  if (message) return message;
  tellSearched(session, found, 1);
  throw new CliError('NOT_FOUND', `${advice} It was looked for since ${found.since}; --since looks further back.`);
}

function tracedBy(id: string, headers: Readonly<Record<string, string>> | undefined): OperationOptions {
  const [named, ...more] = Object.entries(headers ?? {});
  if ((id === '') === (named === undefined) || more.length > 0) throw usage('Say an id or one --header, and not both. See millrace messages trace --help.');
  if (named) return { header: { name: named[0], value: named[1] } };
  return /^[0-9a-f]{32}$/.test(id) ? { traceId: id } : { messageId: id };
}
