import type { SqlDatabase, SqlTransaction } from '@millrace/nestjs';
import type { Effect } from './history.js';

const TABLES = [
  // The id of its half message; null for one that is published by the outbox.
  'CREATE TABLE chaos_orders (number integer PRIMARY KEY, message_id text UNIQUE)',
  'CREATE TABLE chaos_effects (kind text NOT NULL, number integer NOT NULL, pid integer NOT NULL, at bigint NOT NULL)',
];

export type EffectKind = Effect['kind'];

/** The user's own tables: what was placed, and what came of it. Nothing in them keeps an effect from being written twice. */
export class Books {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  async make(): Promise<void> {
    for (const table of TABLES) await this.#database.query(table);
  }

  async place(sql: Pick<SqlTransaction, 'query'>, order: number, messageId: string | null): Promise<void> {
    await sql.query('INSERT INTO chaos_orders (number, message_id) VALUES ($1, $2)', [order, messageId]);
  }

  async isPlaced(order: number): Promise<boolean> {
    return (await this.#database.query('SELECT FROM chaos_orders WHERE number = $1', [order])).rowCount > 0;
  }

  async isPlacedWith(messageId: string): Promise<boolean> {
    return (await this.#database.query('SELECT FROM chaos_orders WHERE message_id = $1', [messageId])).rowCount > 0;
  }

  async take(sql: Pick<SqlTransaction, 'query'>, kind: EffectKind, order: number): Promise<void> {
    await sql.query('INSERT INTO chaos_effects (kind, number, pid, at) VALUES ($1, $2, $3, $4)', [kind, order, process.pid, Date.now()]);
  }

  async placed(): Promise<number[]> {
    const { rows } = await this.#database.query<{ number: number }>('SELECT number FROM chaos_orders');
    return rows.map(({ number }) => number);
  }

  async effects(): Promise<Effect[]> {
    const { rows } = await this.#database.query<Omit<Effect, 'at'> & { readonly at: string }>(
      'SELECT kind, number AS order, pid, at FROM chaos_effects',
    );
    return rows.map((effect) => ({ ...effect, at: Number(effect.at) }));
  }
}
