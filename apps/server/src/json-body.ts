import { isUtf8 } from 'node:buffer';
import { BadRequestException, UnsupportedMediaTypeException } from '@nestjs/common';
import { unkeptNumber } from './unkept-number.js';

/** The limit of a body: a payload of 1 MiB in any JSON of the client. One that is larger as compact JSON is refused later. */
export const BODY_LIMIT = 2 * 1024 * 1024;

/** The parser leaves it out, and takes nothing for {}. */
const BYTE_ORDER_MARK = Buffer.from('\ufeff');

const EMPTY = 'The body is empty: send the payload as JSON, {} where it has nothing.';

/**
 * Makes Express read a body of JSON for the application's own routes: UTF-8, with or without a byte order mark; the last of two
 * properties of one name counts. It refuses bodies that would be stored as something else than was sent: bytes that are no UTF-8,
 * and numbers that are rounded.
 */
export const JSON_BODY = {
  limit: BODY_LIMIT,
  // Any JSON value is a payload of a topic without a class.
  strict: false,
  verify: (...[, , body, charset]: [unknown, unknown, Buffer, string]): void => assertKept(body, charset),
};

/** Refuses bytes of which a part would be lost. @throws HttpException 400, 415 */
export function assertKept(body: Buffer, charset: string): void {
  if (charset !== 'utf-8') throw new UnsupportedMediaTypeException('The body must be JSON in UTF-8: send no other charset.');
  if (body.length === 0 || body.equals(BYTE_ORDER_MARK)) throw new BadRequestException(EMPTY);
  if (!isUtf8(body)) throw new BadRequestException('The body is not valid UTF-8, so a part of it would be lost: send it as UTF-8.');
  const unkept = unkeptNumber(body.toString());
  if (unkept === null) return;
  throw new BadRequestException(`The number ${unkept} in the body is beyond 2^53 and would be rounded: send it as text.`);
}
