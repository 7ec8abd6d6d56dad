import type { ErrorRecord, EventMap, EventPlace } from '@millrace/core';
import { failureLine, shown } from './failure-text.js';

/** Most names in a line. */
const MOST_NAMES = 8;

const ENDS = {
  'dead-letter': 'dead-lettered',
  parked: 'its key waits for an operator',
  stopped: 'its partition waits for an operator',
  'given-up': 'given up',
} as const;

export function attemptLine(event: EventMap['attempt-failed']): string {
  const { attempt, messageId, outcome, delayMs, error } = event;
  const what = event.queue ? 'job' : 'message';
  const next = outcome === 'retry' ? `retried in ${delayMs ?? 0} ms` : event.queue ? 'given up' : ENDS[outcome];
  return line(`${placeOf(event)}: attempt ${attempt} of ${what} ${messageId || '(unreadable)'} failed, ${next}`, error);
}

export function callLine({ service, version, method, caller, isOneWay, error }: EventMap['call-failed']): string {
  const end = isOneWay ? 'and nobody waits for it' : 'and the caller is told';
  return line(`service ${service} ${version}: method ${method} failed for ${caller}, ${end}`, error);
}

export function moreCallsLine({ service, version, method, error }: EventMap['call-failed'], count: number): string {
  return line(`service ${service} ${version}: method ${method} failed ${counted(count, 'more time')} in the same way`, error);
}

export function hookLine(event: EventMap['hook-failed']): string {
  const { attempt, messageId, outcome, delayMs, error } = event;
  const next = outcome === 'retry' ? `called again in ${delayMs ?? 0} ms` : 'not called again';
  return line(`${placeOf(event)}: the handler of dead letter ${messageId || '(unreadable)'} failed (attempt ${attempt}), ${next}`, error);
}

export function checkLine({ check, messageId, error, ...place }: EventMap['check-failed']): string {
  return line(`${placeOf(place)}: check ${check} of half message ${messageId} failed, which counts as 'unknown'`, error);
}

export function uncheckedLine({ topic, overdueMs }: EventMap['halves-unchecked']): string {
  const seconds = (overdueMs / 1_000).toFixed(0);
  return line(`${topic}: half messages wait for a check since ${seconds} s, and no living process has a @TransactionCheck for the topic`);
}

export function givenUpHalfLine({ messageId, checks, storedAtMs, ...place }: EventMap['half-given-up']): string {
  const since = new Date(storedAtMs).toISOString();
  return line(`${placeOf(place)}: half message ${messageId}, stored at ${since}, is kept until an operator decides: ${counted(checks, 'check')} found nothing out`);
}

export function refusedHalfLine({ messageId, error, ...place }: EventMap['half-refused']): string {
  return line(`${placeOf(place)}: half message ${messageId} was to be committed, and is gone`, error);
}

export function resultLine({ messageId, error, ...place }: EventMap['result-dropped']): string {
  return line(`${placeOf(place)}: the return value of job ${messageId} is not stored`, error);
}

export function backoffLine(event: EventMap['backoff-failed']): string {
  return line(`${placeOf(event)}: the custom back-off failed after ${counted(event.failures, 'failure')}; the default is used`, event.error);
}

export function reclaimedLine(event: EventMap['reclaimed']): string {
  return line(`${placeOf(event)}: took over ${event.count} of a process that vanished or was silent for too long`);
}

export function fencedLine(event: EventMap['fenced']): string {
  return line(`${placeOf(event)}: ${event.messageId} was settled too late and belongs to another process by now`);
}

export function ownerFencedLine({ messageId, epoch, knownEpoch, ...place }: EventMap['owner-fenced']): string {
  const refused = `the database refused message ${messageId} to this process, which owned the partition under epoch ${epoch}`;
  return line(`${placeOf(place)}: ${refused}: it knows another owner under epoch ${knownEpoch}, so the next one goes above that`);
}

export function lostLine(event: EventMap['lost']): string {
  const gone = event.count === 1 ? '1 stored message is gone before it was handled' : `${event.count} stored messages are gone before they were handled`;
  return line(`${placeOf(event)}: ${gone}: ${event.why}`);
}

export function droppedLine({ count, untold, ...place }: EventMap['dead-letters-dropped']): string {
  const ofThese = untold === 0 ? '' : `; their handler was not called for ${untold} of them`;
  return line(`${placeOf(place)}: ${counted(count, 'dead letter')} were removed, since they were too many or too old${ofThese}`);
}

export function publishesLostLine(event: EventMap['publishes-lost']): string {
  return line(`${placeOf(event)}: Redis lost ${counted(event.batches, 'confirmed batch', 'confirmed batches')} of this process: ${event.why}`);
}

export function recreatedLine(event: EventMap['recreated']): string {
  return line(`${placeOf(event)}: made again: ${event.why}`);
}

const CHANGES = {
  assigned: 'to this process from now on',
  'given-up': 'no more to this process, which has finished there',
  lost: 'no more to this process, which had not given it up: it was silent for too long, an operator moved the group, or its time is up',
} as const;

/** Partitions of one group that came, or went, together. */
export function handOverLine(events: readonly EventMap['ownership'][]): string {
  const { topic, group, change } = events[0]!;
  const [partitions, epochs] = [events.map(({ partition }) => partition).join(', '), events.map(({ epoch }) => epoch).join(', ')];
  const which = events.length === 1 ? `partition ${partitions} (epoch ${epochs}) belongs` : `partitions ${partitions} (epochs ${epochs}) belong`;
  return line(`${placeOf({ topic, group })}: ${which} ${CHANGES[change]}`);
}

export function startWaitsLine({ members, forMs, why, ...place }: EventMap['start-waits']): string {
  const last = members.length > MOST_NAMES ? ` and ${members.length - MOST_NAMES} more` : '';
  const names = members.slice(0, MOST_NAMES).join(', ') + last;
  const seconds = (forMs / 1_000).toFixed(1);
  return line(`${placeOf(place)}: the start waits, for ${seconds} s at the most, until it is known whether these members live: ${names}. ${why}`);
}

export function circuitLine({ service, version, instance, state, retryAtMs }: EventMap['circuit']): string {
  const whose = `${instance === undefined ? '' : `instance ${instance} of `}service ${service} ${version}`;
  if (state === 'closed') return line(`${whose} works again: calls go through`);
  const when = retryAtMs === undefined ? '' : `, and tries one again at ${new Date(retryAtMs).toISOString()}`;
  return line(`too many calls of ${whose} failed: this process sends none${when}`);
}

export function breakerLine({ state, why, error, ...place }: EventMap['breaker']): string {
  if (state === 'closed') return line(`${placeOf(place)} works again, and goes on`);
  return line(`${placeOf(place)} is paused in this process: ${why}. It tries a few from time to time, and no attempt counts meanwhile. The latest`, error);
}

export function overdueLine({ service, version, method, requestId, overdueMs }: EventMap['call-overdue']): string {
  const seconds = (overdueMs / 1_000).toFixed(0);
  return line(`${method} of service ${service} ${version} goes on since nobody waits for it, for ${seconds} s so far (${requestId}): it holds a slot until it heeds its signal`);
}

export function givenUpCallLine({ service, version, method, error }: EventMap['call-given-up']): string {
  return line(`a call of ${method} of service ${service} ${version} failed, and its caller is not told`, error);
}

export function loopLine(event: EventMap['loop-failed']): string {
  const often = event.failures === 1 ? '' : ` (${event.failures} times in a row)`;
  return line(`${placeOf(event)}: the ${event.loop} loop failed${often} and goes on`, event.error);
}

export function awayLine({ name, error }: EventMap['connection']): string {
  return line(`there is no connection ${name} to Redis; trying again`, error);
}

export function backLine({ node }: EventMap['connection'], awayMs: number): string {
  return line(`${serverOf(node)} is back after ${secondsOf(awayMs)}`);
}

export function replacedLine(node: string, awayMs: number): string {
  return line(`${serverOf(node)} has no slots any more: other nodes serve them, after ${secondsOf(awayMs)}`);
}

export function closedLine({ node }: EventMap['connection'], awayMs: number): string {
  return line(`the connections that missed ${serverOf(node)} are closed, after ${secondsOf(awayMs)}`);
}

export function blinkLine({ name }: EventMap['connection']): string {
  return line(`connection ${name} to Redis was lost and is back`);
}

export function databaseLine({ error }: EventMap['connection']): string {
  return line('a connection to the database was lost; another one is made when it is needed', error);
}

interface Repeated extends EventPlace {
  readonly messageId: string;
  readonly error?: ErrorRecord;
}

/** Failures of one kind that have no lines of their own. */
export function moreLine(event: Repeated, what: string, count: number): string {
  const { topic, group, queue, messageId } = event;
  const place = placeOf({ ...(topic && { topic }), ...(group && { group }), ...(queue && { queue }) });
  return line(`${place}: ${what}, ${counted(count, 'more time')} in the same way, the last time with ${messageId || '(unreadable)'}`, event.error);
}

export function outboxLine(event: EventMap['outbox-failed']): string {
  const { attempt, messageId, outcome, delayMs, error } = event;
  const next = outcome === 'retry' ? `tried again in ${delayMs ?? 0} ms` : 'dead: outbox.redrive() has it published again';
  return line(`${placeOf(event)}: attempt ${attempt} to publish row ${messageId} of the outbox failed, ${next}`, error);
}

export function heldLine(event: EventMap['outbox-held']): string {
  return line(`${placeOf(event)}: takes no rows of the outbox (try ${event.failures}); they wait, and no attempt is counted`, event.error);
}

/** The same for all partitions of a topic. */
export function kindOf({ topic, group, queue }: EventPlace): string {
  return [topic, group, queue].join('/');
}

function placeOf({ topic, group, partition, queue }: EventPlace): string {
  if (queue) return `queue ${queue}`;
  if (!topic) return 'this process';
  return `${topic}${group ? ` -> ${group}` : ''}${partition === undefined ? '' : ` (partition ${partition})`}`;
}

function serverOf(node: string | undefined): string {
  return node === undefined ? 'Redis' : `the Redis node ${node}`;
}

function secondsOf(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}

function counted(count: number, noun: string, plural = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : plural}`;
}

function line(text: string, error?: ErrorRecord): string {
  return error ? `${shown(text)}: ${failureLine(error)}` : shown(text);
}
