import { type JobContext, JobHandler } from '@millrace/nestjs';
import { Injectable } from '@nestjs/common';
import { SendConfirmation } from '../contracts/send-confirmation.js';

/** "Sends" confirmations: a mail is a row, and a second one for the same order would be a second row. */
@Injectable()
export class Mailer {
  @JobHandler(SendConfirmation, { inbox: true })
  async send({ invoice, customerId }: SendConfirmation, { transaction }: JobContext): Promise<void> {
    await transaction.query('INSERT INTO mail (invoice, recipient) VALUES ($1, $2)', [invoice, customerId ?? 'unknown']);
  }
}
