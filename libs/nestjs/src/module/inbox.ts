import { Injectable } from '@nestjs/common';
import type { InboxPort } from '@millrace/core';
import { SqlInbox } from '@millrace/outbox';
import type { HandlerPlan } from '../explore/plan.js';
import { Connections } from './connections.js';

/** The inbox of the handlers that have one: its table, its purge. */
@Injectable()
export class Inbox {
  readonly #connections: Connections;
  #inbox: SqlInbox | undefined;

  constructor(connections: Connections) {
    this.#connections = connections;
  }

  /** There when a handler of this process has it. */
  get port(): InboxPort | undefined {
    return this.#inbox;
  }

  /** @throws MillraceError DATABASE_UNREACHABLE, DATABASE_FAILED */
  async prepare({ subscriptions, jobs }: HandlerPlan): Promise<void> {
    if (![...subscriptions, ...jobs].some(({ inbox }) => inbox)) return;
    this.#inbox = new SqlInbox({ database: await this.#connections.database() });
    await this.#inbox.prepare();
  }

  startPurge(): void {
    this.#inbox?.start();
  }

  async stopPurge(): Promise<void> {
    await this.#inbox?.stop();
  }
}
