import { Injectable } from '@nestjs/common';

/** Every tenth mail, on the average. */
const REFUSED = 10;

/** Stands for a service that is away now and then: some mails are not taken at the first attempt. */
@Injectable()
export class Archive {
  /** @param attempt counts from 1 @throws Error */
  keep(invoice: string, attempt: number): void {
    if (attempt === 1 && Number(/\d+/.exec(invoice)?.[0] ?? 0) % REFUSED === 0) {
      throw new Error(`the archive of mails did not take that of invoice ${invoice}`);
    }
  }
}
