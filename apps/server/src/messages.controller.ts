import { Controller, HttpStatus, Param, Post, Res, UseFilters, VERSION_NEUTRAL } from '@nestjs/common';
import { Contracts, type Duration, Publisher, type PublishOptions } from '@millrace/nestjs';
import { Exchange, type HttpExchange } from './exchange.js';
import { Guarded } from './guarded.js';
import { momentOf } from './moment.js';
import { Needs } from './needs.js';
import { assertKnown, type OptionHeaders } from './option-headers.js';
import { type JsonResponse, sendJson } from './send-json.js';
import { SendingProblemFilter } from './sending-problem.filter.js';

const HEADER_PREFIX = 'millrace-header-';
const KNOWN = [
  'millrace-key', 'millrace-type', 'millrace-delay', 'millrace-deliver-at', 'millrace-ttl', 'millrace-deadline', HEADER_PREFIX,
];

/** Publishes over HTTP, with the contracts of the hosted application. */
@Controller({ path: 'topics', version: VERSION_NEUTRAL })
@Guarded()
export class MessagesController {
  readonly #contracts: Contracts;
  readonly #publisher: Publisher;

  constructor(contracts: Contracts, publisher: Publisher) {
    this.#contracts = contracts;
    this.#publisher = publisher;
  }

  /** The body is the payload. 201 when it was stored, 200 for a duplicate; both with the id, partition and offset. */
  @Post(':topic/messages')
  @Needs('send')
  @UseFilters(SendingProblemFilter)
  async publish(@Param('topic') topic: string, @Exchange() exchange: HttpExchange, @Res() response: JsonResponse): Promise<void> {
    const options = exchange.options();
    assertKnown(options, KNOWN);
    const contract = this.#contracts.topic(topic, options.get('millrace-type'));
    const result = await this.#publisher.publish(contract, exchange.payload(), publishOptions(options));
    sendJson(response, result.duplicate ? HttpStatus.OK : HttpStatus.CREATED, result);
  }
}

/**
 * `Idempotency-Key`, and the options of a publish as `Millrace-<option>`, in the same form; `Millrace-Deliver-At` is an ISO 8601
 * moment with its zone. `Millrace-Header-<name>` are headers of the message, in lower case.
 */
function publishOptions(options: OptionHeaders): PublishOptions {
  const own = [...options].filter(([name]) => name.startsWith(HEADER_PREFIX));
  const deliverAt = options.get('millrace-deliver-at');
  return {
    idempotencyKey: options.get('idempotency-key'),
    key: options.get('millrace-key'),
    delay: options.get('millrace-delay') as Duration | undefined,
    ...(deliverAt === undefined ? {} : { deliverAt: momentOf(deliverAt, 'millrace-deliver-at') }),
    ttl: options.get('millrace-ttl') as Duration | undefined,
    deadline: options.get('millrace-deadline') as Duration | undefined,
    headers: Object.fromEntries(own.map(([name, value]) => [name.slice(HEADER_PREFIX.length), value])),
  };
}
