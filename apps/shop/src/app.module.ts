import { InjectDatabase, MillraceModule, type SqlDatabase } from '@millrace/nestjs';
import { Module, type OnModuleInit } from '@nestjs/common';
import { createTables } from './database/tables.js';
import { InventoryModule } from './inventory/inventory.module.js';
import { ShopModule } from './shop.module.js';

/** Any number, as long as every process of the shop takes the same. */
const TABLES_LOCK = 7_301_955;

/** The shop as a host runs it (`MILLRACE_APP`): configured by the environment alone, on tables that it makes itself. */
@Module({ imports: [MillraceModule.forRoot({ outbox: true }), ShopModule, InventoryModule] })
export class AppModule implements OnModuleInit {
  readonly #database: SqlDatabase;

  constructor(@InjectDatabase() database: SqlDatabase) {
    this.#database = database;
  }

  /** Under a lock: CREATE TABLE IF NOT EXISTS fails when two processes that start together both find no table. */
  async onModuleInit(): Promise<void> {
    await this.#database.transaction(async (transaction) => {
      await transaction.query('SELECT pg_advisory_xact_lock($1)', [TABLES_LOCK]);
      await createTables(transaction);
    });
  }
}
