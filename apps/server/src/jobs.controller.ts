import { Body, Controller, HttpCode, HttpStatus, Param, Post } from '@nestjs/common';
import { Contracts, type Duration, type EnqueueResult, JobQueue } from '@millrace/nestjs';
import { Exchange, type HttpExchange } from './exchange.js';
import { assertKnown, textOf } from './option-headers.js';

/** Enqueues over HTTP, with the contracts of the hosted application. */
@Controller('jobs')
export class JobsController {
  readonly #contracts: Contracts;
  readonly #jobs: JobQueue;

  constructor(contracts: Contracts, jobs: JobQueue) {
    this.#contracts = contracts;
    this.#jobs = jobs;
  }

  /** The body is the payload, with `Idempotency-Key` and `Millrace-Delay`. 201 when it was stored, 200 for a duplicate. */
  @Post(':job')
  @HttpCode(HttpStatus.CREATED)
  async enqueue(@Param('job') job: string, @Body() payload: object, @Exchange() exchange: HttpExchange): Promise<EnqueueResult> {
    const { headers } = exchange;
    assertKnown(headers, ['millrace-delay']);
    const delay = textOf(headers, 'millrace-delay') as Duration | undefined;
    const idempotencyKey = textOf(headers, 'idempotency-key');
    const result = await this.#jobs.enqueue(this.#contracts.job(job), payload, { idempotencyKey, delay });
    if (result.duplicate) exchange.status(HttpStatus.OK);
    return result;
  }
}
