import { type Durability, type Forward, fsynced, MillraceError, type OutgoingMessage, replicated, type SendOptions } from '@millrace/core';
import { nameOf } from '../durable/durable-routes.js';
import { decodeEnvelope, encodeEnvelope } from '../log/envelope.js';
import { dueText } from '../publish/admission.js';
import { routingKeyOf } from '../publish/partitioner.js';

/** A message as it goes into a partition. */
export interface SendableMessage {
  readonly kind: 'message';
  readonly topic: string;
  readonly durability: Durability;
  /** As `publish.lua` reads it; empty for now. */
  readonly due: string;
  /** The text that decides about its partition. */
  readonly routingKey: string;
  /** Its envelope. */
  readonly text: string;
}

/** A message with an idempotency key: it is published as any other one with that key. */
export interface SendableKeyed {
  readonly kind: 'keyed';
  readonly topic: string;
  readonly message: OutgoingMessage;
  readonly sendOptions: SendOptions;
}

export interface SendableJob {
  readonly kind: 'job';
  readonly queue: string;
  readonly json: string;
}

export type Sendable = SendableMessage | SendableKeyed | SendableJob;

/** All that one message forwards, in the form in which it is stored and sent. */
export interface Forwarded {
  readonly sendables: readonly Sendable[];
  readonly text: string;
}

/** Names and the texts that follow them hold no line break. */
const LINE = '\n';

function sendableOf(forward: Forward): Sendable {
  if (forward.kind === 'job') return { kind: 'job', queue: forward.queue, json: forward.json };
  const { topic, message, sendOptions } = forward;
  const durability = sendOptions?.durability ?? topic.durability;
  const keyed = { due: sendOptions?.due, durability };
  if (message.idempotencyKey !== null) return { kind: 'keyed', topic: topic.name, message, sendOptions: keyed };
  const routingKey = routingKeyOf(message);
  return { kind: 'message', topic: topic.name, durability, due: dueText(sendOptions?.due), routingKey, text: encodeEnvelope(message) };
}

/** One line of a forward log. */
function lineOf(sendable: Sendable): string {
  switch (sendable.kind) {
    case 'job':
      return `j ${sendable.queue} ${sendable.json}`;
    case 'keyed':
      return `k ${JSON.stringify(sendable)}`;
    case 'message':
      return `m ${sendable.topic} ${nameOf(sendable.durability)} ${sendable.due || '-'} ${sendable.text}`;
  }
}

export function forwardedOf(forwards: readonly Forward[]): Forwarded {
  const sendables = forwards.map(sendableOf);
  return { sendables, text: sendables.length === 1 ? lineOf(sendables[0]!) : sendables.map(lineOf).join(LINE) };
}

/** @throws MillraceError UNSUPPORTED_VERSION: another version of this code wrote the text */
export function sendablesIn(text: string): Sendable[] {
  return text.split(LINE).map(sendableIn);
}

const MESSAGE = /^m (\S+) (\S+) (\S+) (.*)$/s;
const JOB = /^j (\S+) (.*)$/s;

function sendableIn(line: string): Sendable {
  if (line.startsWith('k ')) return JSON.parse(line.slice(2)) as SendableKeyed;
  const [, queue, json] = JOB.exec(line) ?? [];
  if (queue !== undefined && json !== undefined) return { kind: 'job', queue, json };
  const [, topic, durability, due, text] = MESSAGE.exec(line) ?? [];
  if (topic === undefined || durability === undefined || due === undefined || text === undefined) throw unreadable();
  const { key, id } = decodeEnvelope(text);
  return { kind: 'message', topic, durability: durabilityOf(durability), due: due === '-' ? '' : due, routingKey: key ?? id, text };
}

function durabilityOf(name: string): Durability {
  if (name === 'server') return 'server';
  const [, replicas, ms] = /^replicated-(\d+)-(\d+)ms$/.exec(name) ?? [];
  if (replicas !== undefined && ms !== undefined) return replicated(Number(replicas), `${Number(ms)}ms`);
  const [, fsyncMs] = /^fsynced-(\d+)ms$/.exec(name) ?? [];
  if (fsyncMs !== undefined) return fsynced(`${Number(fsyncMs)}ms`);
  throw unreadable();
}

function unreadable(): MillraceError {
  return new MillraceError(
    'UNSUPPORTED_VERSION',
    'A forward log holds a line that this process cannot read: a newer version of Millrace wrote it. It stays there; upgrade this process.',
  );
}
