import { IsObject, IsOptional, IsString, ValidateBy } from 'class-validator';

/** What a publish takes beside the payload. */
export class PublishOptions {
  /** Makes the publish unique within the topic's idempotency window: 1 to 256 bytes. Default: none. */
  @IsOptional() @IsIdempotencyKey()
  idempotencyKey?: string;

  /** Decides the partition, in place of the topic's `key`. */
  @IsOptional() @IsString()
  key?: string;

  /** At most 64 short strings that travel with the message. Default: none. */
  @IsOptional() @IsObject()
  headers?: Record<string, string>;
}

/** The property is an idempotency key: a string of 1 to 256 bytes. */
export function IsIdempotencyKey(): PropertyDecorator {
  return ValidateBy({
    name: 'isIdempotencyKey',
    validator: {
      validate: (value: unknown) => typeof value === 'string' && value.length > 0 && Buffer.byteLength(value) <= 256,
      defaultMessage: () => 'idempotencyKey must be a string of 1 to 256 bytes',
    },
  });
}
