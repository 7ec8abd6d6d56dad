import { InjectDatabase, type JobContext, JobHandler, type SqlDatabase } from '@millrace/nestjs';
import { Injectable } from '@nestjs/common';
import { SendConfirmation } from '../contracts/send-confirmation.js';
import { Archive } from './archive.js';

const SEND = 'INSERT INTO mail (invoice, recipient, process) VALUES ($1, $2, $3)';

/**
 * "Sends" confirmations, and has them archived. A mail is a row that no transaction can take back, as a letter in the post: a
 * second one for the same order would be a second row, with the process that sent it.
 */
@Injectable()
export class Mailer {
  readonly #database: SqlDatabase;
  readonly #archive: Archive;

  constructor(@InjectDatabase() database: SqlDatabase, archive: Archive) {
    this.#database = database;
    this.#archive = archive;
  }

  /** A mail that the archive does not take is archived at another attempt, and not sent again for that. */
  @JobHandler(SendConfirmation)
  async send({ invoice, customerId }: SendConfirmation, context: Pick<JobContext, 'attempt' | 'once'>): Promise<void> {
    await context.once('send', () => this.#post(invoice, customerId ?? 'unknown'));
    this.#archive.keep(invoice, context.attempt);
  }

  async #post(invoice: string, recipient: string): Promise<void> {
    await this.#database.query(SEND, [invoice, recipient, process.pid]);
  }
}
