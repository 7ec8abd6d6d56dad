import { createHash } from 'node:crypto';
import type { DeadLetterRecord } from '@millrace/streams';

const LENGTH = 16;

/** Parts of an error's message that differ from one failure to the next: ids, quoted texts, numbers. Each is linear in time. */
const VARIABLE: readonly RegExp[] = [
  /\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/gi,
  /'[^'\n]{0,200}'|"[^"\n]{0,200}"/g,
  /\b0x[0-9a-f]+\b|\b[0-9a-f]{12,}\b/gi,
  /\d+(?:[.,:]\d+)*/g,
];

/** The same for dead letters that were given up in the same way: 16 hex digits. */
export function fingerprintOf({ reason, error }: Pick<DeadLetterRecord, 'reason' | 'error'>): string {
  const [firstLine = ''] = error.message.split('\n');
  const message = VARIABLE.reduce((text, pattern) => text.replace(pattern, '#'), firstLine);
  const text = JSON.stringify([reason, error.name, error.code ?? null, message]);
  return createHash('sha256').update(text).digest('hex').slice(0, LENGTH);
}

export const FINGERPRINT = /^[0-9a-f]{16}$/;
