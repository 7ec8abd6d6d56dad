import { Job, fixed } from '@millrace/core';
import { IsInt, IsOptional, IsString } from 'class-validator';

/** Each spec file has a Redis of its own; each test takes the queue of the job that it uses. */
@Job<SendMail>('send-mail', { queue: 'emails', attempts: 3, backoff: fixed('5ms') })
export class SendMail {
  @IsString() to!: string;
  @IsOptional() @IsInt() copies?: number;
}

/** Keeps what its class does not declare. */
@Job<SendMore>('send-more', { queue: 'emails', unknownProperties: 'keep' })
export class SendMore extends SendMail {}

/** Shares the queue of {@link SendMail}. */
@Job<SendInvoice>('send-invoice', { queue: 'emails', attempts: 5, backoff: fixed('1h') })
export class SendInvoice {
  @IsString() to!: string;
}
