import { Body, Controller, HttpCode, HttpStatus, Param, Post } from '@nestjs/common';
import { Contracts, Publisher, type PublishOptions, type PublishResult } from '@millrace/nestjs';
import { Exchange, type HttpExchange } from './exchange.js';

const HEADER_PREFIX = 'millrace-header-';

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
    const result = await this.#publisher.publish(this.#contracts.topic(topic), payload, publishOptions(exchange.headers));
    if (result.duplicate) exchange.status(HttpStatus.OK);
    return result;
  }
}

/** `Idempotency-Key`, `Millrace-Key`, and `Millrace-Header-<name>` for headers of the message, in lower case. */
function publishOptions(headers: Record<string, unknown>): PublishOptions {
  const text = (name: string): string | undefined => (typeof headers[name] === 'string' ? headers[name] : undefined);
  const own = Object.keys(headers).filter((name) => name.startsWith(HEADER_PREFIX));
  return {
    idempotencyKey: text('idempotency-key'),
    key: text('millrace-key'),
    headers: Object.fromEntries(own.map((name) => [name.slice(HEADER_PREFIX.length), text(name) ?? ''])),
  };
}
