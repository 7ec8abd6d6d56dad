import { durationMs, parseOptions } from '@millrace/core';
import type { StartedCall } from '../handle/handles.js';
import type { ClientMethod } from './client-method.js';
import { ResultOptions } from './remote-options.js';
import type { RemotePort } from './remote-port.js';

export interface HandleParts {
  readonly started: StartedCall;
  readonly method: ClientMethod;
  readonly port: () => Promise<RemotePort>;
}

/** A call that was started. Its result can be fetched as often as wanted, by any process that knows the id. */
export class CallHandle<Answer> {
  readonly id: string;
  readonly #parts: HandleParts;

  constructor(parts: HandleParts) {
    this.id = parts.started.id;
    this.#parts = parts;
  }

  /**
   * Waits for the answer, which Redis keeps for ten minutes behind the deadline of the call. It is looked for up to once a
   * second.
   *
   * @throws RpcTimeoutError CALL_TIMEOUT; `retryable` while the call has time
   * @throws RpcCancelledError CALL_CANCELLED by the signal: the call goes on
   * @throws RpcRemoteError REMOTE_FAILED the method threw
   * @throws MillraceError UNKNOWN_CALL; INVALID_INPUT the id belongs to a call of another method; REDIS_FAILED;
   *   CLOSED this process is shutting down
   */
  async result(options: ResultOptions = {}): Promise<Answer> {
    const { started, method, port } = this.#parts;
    const { timeout, signal } = parseOptions(ResultOptions, options, `result of ${method.where}`);
    const text = await (await port()).result(started, { timeoutMs: durationMs(timeout), signal });
    return (await method.answered(text)) as Answer;
  }

  /** Drops the result; the call itself goes on. */
  async forget(): Promise<void> {
    await (await this.#parts.port()).forget(this.id);
  }
}
