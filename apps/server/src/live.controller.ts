import type { IncomingMessage, ServerResponse } from 'node:http';
import { Controller, Get, Logger, type OnModuleDestroy, Req, Res, VERSION_NEUTRAL } from '@nestjs/common';
import type { Overview } from '@millrace/admin';
import { Administration } from '@millrace/nestjs';
import { admittedOf } from './admitted.js';
import { Guarded } from './guarded.js';
import { LiveFeed, type LiveSample } from './live-feed.js';
import { Needs } from './needs.js';

/** Those of Node, or Fastify's with them inside. */
interface Request {
  readonly raw?: IncomingMessage;
}

interface Response {
  readonly raw?: ServerResponse;
  /** Fastify's: leaves the answer to whoever calls it. */
  readonly hijack?: () => unknown;
}

const LIMITS = {
  everyMs: 1_000, pingMs: 15_000, longestMs: 15 * 60_000, mostListeners: 100, mostOfOne: 20, mostBufferedBytes: 256 * 1_024,
};

/** The platform as it changes, as server-sent events. */
@Controller({ path: 'live', version: VERSION_NEUTRAL })
@Guarded()
export class LiveController implements OnModuleDestroy {
  readonly #logger = new Logger('Millrace');
  readonly #administration: Administration;
  readonly #feed = new LiveFeed({ ...LIMITS, sample: () => this.#sample() });
  #hasFailed = false;

  constructor(administration: Administration) {
    this.#administration = administration;
  }

  /** Events `overview` and `lag` once a second, and `ping`. */
  @Get()
  @Needs('viewer')
  listen(@Req() request: Request, @Res() response: Response): void {
    const { name } = admittedOf(request).principal;
    this.#feed.add(name, request.raw ?? (request as IncomingMessage), response.raw ?? (response as ServerResponse));
    response.hijack?.();
  }

  /** The server waits for its connections when it stops. */
  onModuleDestroy(): void {
    this.#feed.close();
  }

  async #sample(): Promise<LiveSample> {
    try {
      const { worstLags, ...overview } = (await this.#administration.run('overview', {}, {})) as Overview;
      this.#hasFailed = false;
      return { overview, lag: worstLags };
    } catch (error) {
      // Once for all looks that fail in a row.
      if (!this.#hasFailed) this.#logger.warn(`A look for those who listen has failed: ${(error as Error).message}`);
      this.#hasFailed = true;
      throw error;
    }
  }
}
