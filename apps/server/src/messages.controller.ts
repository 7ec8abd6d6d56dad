import { Body, Controller, HttpCode, HttpStatus, Param, Post } from '@nestjs/common';
import { Contracts, type Duration, Publisher, type PublishOptions, type PublishResult } from '@millrace/nestjs';
import { Exchange, type HttpExchange } from './exchange.js';
import { assertKnown, textOf } from './option-headers.js';

const HEADER_PREFIX = 'millrace-header-';
const KNOWN = [
  'millrace-key', 'millrace-type', 'millrace-delay', 'millrace-deliver-at', 'millrace-ttl', 'millrace-deadline', HEADER_PREFIX,
];
/** An ISO 8601 moment: what else a Date would make something of is refused. */
const MOMENT = /^\d{4}-\d\d-\d\dT/;

/** Publishes over HTTP, with the contracts of the hosted application. */
@Controller('topics')
export class MessagesController {
  readonly #contracts: Contracts;
  readonly #publisher: Publisher;

  constructor(contracts: Contracts, publisher: Publisher) {
    this.#contracts = contracts;
    this.#publisher = publisher;
  }

  /** The body is the payload. 201 when it was stored, 200 for a duplicate; both with the id, partition and offset. */
  @Post(':topic/messages')
  @HttpCode(HttpStatus.CREATED)
  async publish(@Param('topic') topic: string, @Body() payload: object, @Exchange() exchange: HttpExchange): Promise<PublishResult> {
    const { headers } = exchange;
    assertKnown(headers, KNOWN);
    const contract = this.#contracts.topic(topic, textOf(headers, 'millrace-type'));
    const result = await this.#publisher.publish(contract, payload, publishOptions(headers));
    if (result.duplicate) exchange.status(HttpStatus.OK);
    return result;
  }
}

/**
 * `Idempotency-Key`, and the options of a publish as `Millrace-<option>`, in the same form; `Millrace-Deliver-At` is an ISO 8601
 * moment. `Millrace-Header-<name>` are headers of the message, in lower case.
 */
function publishOptions(headers: Record<string, unknown>): PublishOptions {
  const own = Object.keys(headers).filter((name) => name.startsWith(HEADER_PREFIX));
  const deliverAt = textOf(headers, 'millrace-deliver-at');
  return {
    idempotencyKey: textOf(headers, 'idempotency-key'),
    key: textOf(headers, 'millrace-key'),
    delay: textOf(headers, 'millrace-delay') as Duration | undefined,
    ...(deliverAt === undefined ? {} : { deliverAt: new Date(MOMENT.test(deliverAt) ? deliverAt : Number.NaN) }),
    ttl: textOf(headers, 'millrace-ttl') as Duration | undefined,
    deadline: textOf(headers, 'millrace-deadline') as Duration | undefined,
    headers: Object.fromEntries(own.map((name) => [name.slice(HEADER_PREFIX.length), textOf(headers, name) ?? ''])),
  };
}
