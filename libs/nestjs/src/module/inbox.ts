import { Inject, Injectable } from '@nestjs/common';
import type { InboxPort } from '@millrace/core';
import { SqlInbox } from '@millrace/outbox';
import type { Settings } from '../config/settings.js';
import { Connections } from './connections.js';
import { SETTINGS } from './tokens.js';

/** The inbox of the handlers that have one: its table, its purge. */
@Injectable()
export class Inbox {
  readonly #connections: Connections;
  readonly #settings: Settings;
  #inbox: SqlInbox | undefined;

  constructor(connections: Connections, @Inject(SETTINGS) settings: Settings) {
    this.#connections = connections;
    this.#settings = settings;
  }

  /** There when a handler of this process has it. */
  get port(): InboxPort | undefined {
    return this.#inbox;
  }

  /** @throws MillraceError INBOX_NOT_CONFIGURED, DATABASE_UNREACHABLE, DATABASE_FAILED */
  async prepare(handlers: readonly { readonly inbox: boolean }[]): Promise<void> {
    if (!handlers.some(({ inbox }) => inbox)) return;
    const { databaseSource, inbox: tables, inboxKeepMs: keepMs } = this.#settings;
    const connected = await this.#connections.database();
    this.#inbox = new SqlInbox({ database: databaseSource ?? connected, keepMs, ...tables });
    await this.#inbox.prepare();
  }

  startPurge(): void {
    this.#inbox?.start();
  }

  async stopPurge(): Promise<void> {
    await this.#inbox?.stop();
  }
}
