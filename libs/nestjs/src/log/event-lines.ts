import type { ErrorRecord, EventMap, EventPlace } from '@millrace/core';

export function attemptLine(event: EventMap['attempt-failed']): string {
  const { attempt, messageId, outcome, delayMs, error } = event;
  const what = event.queue ? 'job' : 'message';
  const end = event.queue || outcome === 'given-up' ? 'given up' : 'dead-lettered';
  const next = outcome === 'retry' ? `retried in ${delayMs ?? 0} ms` : end;
  return line(`${placeOf(event)}: attempt ${attempt} of ${what} ${messageId || '(unreadable)'} failed, ${next}`, error);
}

export function noticeLine(event: EventMap['notice-failed']): string {
  const { attempt, messageId, outcome, delayMs, error } = event;
  const next = outcome === 'retry' ? `told again in ${delayMs ?? 0} ms` : 'not told again';
  return line(`${placeOf(event)}: telling of dead letter ${messageId || '(unreadable)'} failed (attempt ${attempt}), ${next}`, error);
}

export function backoffLine(event: EventMap['backoff-failed']): string {
  return line(`${placeOf(event)}: the custom back-off failed after ${event.failures} failures; the default is used`, event.error);
}

export function reclaimedLine(event: EventMap['reclaimed']): string {
  return line(`${placeOf(event)}: took over ${event.count} of a process that vanished or was silent for too long`);
}

export function fencedLine(event: EventMap['fenced']): string {
  return line(`${placeOf(event)}: ${event.messageId} was settled too late and belongs to another process by now`);
}

export function lostLine(event: EventMap['lost']): string {
  return line(`${placeOf(event)}: ${event.count} stored messages are gone before they were handled: ${event.why}`);
}

export function recreatedLine(event: EventMap['recreated']): string {
  return line(`${placeOf(event)}: made again: ${event.why}`);
}

export function loopLine(event: EventMap['loop-failed']): string {
  return line(`${placeOf(event)}: the ${event.loop} loop failed (${event.failures} times in a row) and goes on`, event.error);
}

export function connectionLine({ name, state, error }: EventMap['connection']): string {
  return line(state === 'ready' ? `connection ${name} to Redis is back` : `connection ${name} finds no Redis; trying again`, error);
}

function placeOf({ topic, group, partition, queue }: EventPlace): string {
  if (queue) return `queue ${queue}`;
  if (!topic) return 'this process';
  return `${topic}${group ? ` -> ${group}` : ''}${partition === undefined ? '' : ` (partition ${partition})`}`;
}

/** One line whatever the texts hold: what a message carried must not forge another. */
function line(text: string, error?: ErrorRecord): string {
  const whole = error ? `${text}: ${error.name}: ${error.message}` : text;
  // eslint-disable-next-line no-control-regex -- control characters are what is replaced
  return whole.replace(/\s*[\r\n]+\s*/g, ' ').replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, escaped);
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
