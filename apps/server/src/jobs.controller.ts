import { Body, Controller, Headers, HttpCode, HttpStatus, Param, Post, Res } from '@nestjs/common';
import { Contracts, type EnqueueResult, JobQueue } from '@millrace/nestjs';

/** What of an Express response is used. */
interface Response {
  status(code: number): unknown;
}

/** Enqueues over HTTP, with the contracts of the hosted application. */
@Controller('jobs')
export class JobsController {
  readonly #contracts: Contracts;
  readonly #jobs: JobQueue;

  constructor(contracts: Contracts, jobs: JobQueue) {
    this.#contracts = contracts;
    this.#jobs = jobs;
  }

  /** The body is the payload. 201 when it was stored, 200 for a duplicate. */
  @Post(':job')
  @HttpCode(HttpStatus.CREATED)
  async enqueue(
    @Param('job') job: string,
    @Body() payload: object,
    @Headers('idempotency-key') idempotencyKey: string | undefined,
    @Res({ passthrough: true }) response: Response,
  ): Promise<EnqueueResult> {
    const result = await this.#jobs.enqueue(this.#contracts.job(job), payload, { idempotencyKey });
    if (result.duplicate) response.status(HttpStatus.OK);
    return result;
  }
}
