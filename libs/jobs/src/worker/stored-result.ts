import { emit, errorRecord, MillraceError } from '@millrace/core';
import type { Job } from 'bullmq';

/** As many completed jobs are kept as the retention says, each with its result. */
const MAX_RESULT_BYTES = 65_536;

/**
 * The part of what a handler returned that is stored as the job's return value: what JSON makes of it, up to 64 KiB. The work
 * is done by then, and doing it again would make nothing better: what cannot be stored leaves the return value empty, and
 * that is told (`result-dropped`).
 */
export function storedResult(job: Job, returned: unknown): unknown {
  if (returned === undefined) return undefined;
  try {
    return JSON.parse(boundedText(returned));
  } catch (thrown) {
    emit('result-dropped', { queue: job.queueName, messageId: job.id ?? '', error: errorRecord(thrown) });
    return undefined;
  }
}

/** @throws MillraceError UNSERIALIZABLE_PAYLOAD, PAYLOAD_TOO_LARGE */
function boundedText(returned: unknown): string {
  const text = jsonOf(returned) ?? 'null';
  const bytes = Buffer.byteLength(text);
  if (bytes <= MAX_RESULT_BYTES) return text;
  throw new MillraceError(
    'PAYLOAD_TOO_LARGE',
    `The handler returned ${bytes} bytes of JSON; up to ${MAX_RESULT_BYTES} are stored as a job's return value. The job is completed ` +
      'without it: store large results elsewhere and return where they are.',
  );
}

/** @returns undefined for what JSON has no text for, such as a function */
function jsonOf(returned: unknown): string | undefined {
  try {
    return JSON.stringify(returned);
  } catch (cause) {
    throw new MillraceError(
      'UNSERIALIZABLE_PAYLOAD',
      'The handler returned what cannot be written as JSON, so the job is completed without a return value: return plain data, or nothing.',
      { cause },
    );
  }
}
