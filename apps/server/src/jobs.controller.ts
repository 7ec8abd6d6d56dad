import { Controller, HttpCode, HttpStatus, Param, Post, VERSION_NEUTRAL } from '@nestjs/common';
import { Contracts, type Duration, type EnqueueResult, JobQueue } from '@millrace/nestjs';
import { Exchange, type HttpExchange } from './exchange.js';
import { Guarded } from './guarded.js';
import { Needs } from './needs.js';
import { Payload } from './admitted.js';
import { assertKnown } from './option-headers.js';

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
  @HttpCode(HttpStatus.CREATED)
  async enqueue(@Param('job') job: string, @Payload() payload: object, @Exchange() exchange: HttpExchange): Promise<EnqueueResult> {
    const options = exchange.options();
    assertKnown(options, ['millrace-delay']);
    const delay = options.get('millrace-delay') as Duration | undefined;
    const idempotencyKey = options.get('idempotency-key');
    const result = await this.#jobs.enqueue(this.#contracts.job(job), payload, { idempotencyKey, delay });
    if (result.duplicate) exchange.status(HttpStatus.OK);
    return result;
  }
}
