import { exponential, Job } from '@millrace/nestjs';
import { IsOptional, IsString, Length } from 'class-validator';

@Job<SendConfirmation>('send-confirmation', { queue: 'emails', attempts: 5, backoff: exponential('1s', { max: '10s' }) })
export class SendConfirmation {
  @IsString() @Length(1, 64)
  invoice!: string;

  /** Null when the shop does not know who bought. */
  @IsOptional() @IsString()
  customerId!: string | null;
}
