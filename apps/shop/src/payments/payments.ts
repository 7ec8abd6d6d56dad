import { InjectDatabase, RpcService, type SqlDatabase } from '@millrace/nestjs';
import { Injectable } from '@nestjs/common';
import { type ChargeRequest, type ChargeResult, PaymentsApi } from '../contracts/payments-api.js';

const CHARGE = `
  INSERT INTO charges (invoice, amount) VALUES ($1, $2) ON CONFLICT (invoice) DO NOTHING RETURNING id::text, true AS same`;
const CHARGED = 'SELECT id::text, amount = $2 AS same FROM charges WHERE invoice = $1';

interface Charge {
  readonly id: string;
  /** Whether it has the amount that was asked for. */
  readonly same: boolean;
}

/** "Charges" invoices: a charge is a row. The invoice is its key, so that a request executed again finds the first charge. */
@Injectable()
@RpcService(PaymentsApi)
export class Payments {
  readonly #database: SqlDatabase;

  constructor(@InjectDatabase() database: SqlDatabase) {
    this.#database = database;
  }

  async charge({ invoice, amount }: ChargeRequest): Promise<ChargeResult> {
    const charge = (await this.#first(CHARGE, invoice, amount)) ?? (await this.#first(CHARGED, invoice, amount));
    if (charge?.same !== true) throw otherAmount(invoice, amount);
    return { chargeId: charge.id };
  }

  async #first(statement: string, invoice: string, amount: string): Promise<Charge | undefined> {
    const { rows } = await this.#database.query<Charge>(statement, [invoice, amount]);
    return rows[0];
  }
}

function otherAmount(invoice: string, amount: string): Error {
  return Object.assign(new Error(`invoice ${invoice} was charged another amount than ${amount}`), { code: 'OTHER_AMOUNT' });
}
