import { Controller, HttpStatus, Param, Post, Res, UseFilters, VERSION_NEUTRAL } from '@nestjs/common';
import { Contracts, type Duration, JobQueue } from '@millrace/nestjs';
import { Exchange, type HttpExchange } from './exchange.js';
import { Guarded } from './guarded.js';
import { Needs } from './needs.js';
import { assertKnown } from './option-headers.js';
import { type JsonResponse, sendJson } from './send-json.js';
import { SendingProblemFilter } from './sending-problem.filter.js';

/** Enqueues over HTTP, with the contracts of the hosted application. */
@Controller({ path: 'jobs', version: VERSION_NEUTRAL })
@Guarded()
export class JobsController {
  readonly #contracts: Contracts;
  readonly #jobs: JobQueue;

  constructor(contracts: Contracts, jobs: JobQueue) {
    this.#contracts = contracts;
    this.#jobs = jobs;
  }

  /** The body is the payload, with `Idempotency-Key` and `Millrace-Delay`. 201 when it was stored, 200 for a duplicate. */
  @Post(':job')
  @Needs('send')
  @UseFilters(SendingProblemFilter)
  async enqueue(@Param('job') job: string, @Exchange() exchange: HttpExchange, @Res() response: JsonResponse): Promise<void> {
    const options = exchange.options();
    assertKnown(options, ['millrace-delay']);
    const delay = options.get('millrace-delay') as Duration | undefined;
    const idempotencyKey = options.get('idempotency-key');
    const result = await this.#jobs.enqueue(this.#contracts.job(job), exchange.payload() as object, { idempotencyKey, delay });
    sendJson(response, result.duplicate ? HttpStatus.OK : HttpStatus.CREATED, result);
  }
}
