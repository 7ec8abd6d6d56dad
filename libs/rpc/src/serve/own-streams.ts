import { loadScript, type Topology } from '@millrace/redis';
import { RpcNoInstanceError } from '../errors.js';
import { instanceKey, isMemberName, SERVERS } from '../keys.js';
import { answerField } from '../wire/answer-frame.js';
import { errorText } from '../wire/error-answer.js';
import { parseRequest } from '../wire/request-frame.js';
import type { AnswerBatcher } from './answer-batcher.js';
import { mayHaveRun } from './refusals.js';
import type { ServerCounters } from './server-counters.js';

const emptyInstance = loadScript('../scripts/empty-instance.lua', import.meta.url);

const PAGE = 64;

export interface OwnStreamsParts {
  readonly redis: Topology;
  readonly prefix: string;
  readonly answers: AnswerBatcher;
  readonly counters: ServerCounters;
}

type Taken = readonly [entryId: string, isHeld: string, fields: unknown];

/** Removes the streams of instances that are gone. Nobody else may execute the requests in them: their callers are told. */
export class OwnStreams {
  readonly #parts: OwnStreamsParts;

  constructor(parts: OwnStreamsParts) {
    this.#parts = parts;
  }

  /**
   * @param notBegun entries that the instance held and had not begun, if that is known
   * @throws RedisFailure
   */
  async empty(member: string, notBegun: ReadonlySet<string> = new Set()): Promise<void> {
    if (!isMemberName(member)) return;
    const { redis, prefix } = this.#parts;
    const key = instanceKey(prefix, member);
    for (let isGone = false; !isGone; ) {
      const reply = (await redis.controlFor(key).run(emptyInstance, [key], [SERVERS, PAGE])) as [string, Taken[]];
      isGone = reply[0] === '1';
      for (const [entryId, isHeld, fields] of reply[1]) await this.#refuse(fields, isHeld === '1' && !notBegun.has(entryId));
    }
  }

  async #refuse(fields: unknown, isBegun: boolean): Promise<void> {
    const frame = parseRequest(fields);
    if (frame === null) this.#parts.counters.malformed += 1;
    if (frame === null || frame.isOneWay) return;
    if (isBegun) this.#parts.counters.indefinite += 1;
    const error = isBegun ? mayHaveRun(frame.method) : new RpcNoInstanceError('The chosen instance is gone, and had not begun the call.');
    const value = errorText(error, false);
    await this.#parts.answers.post({ inbox: frame.inbox, field: answerField('e', frame.correlation), value });
  }
}
