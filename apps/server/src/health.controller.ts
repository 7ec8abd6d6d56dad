import { applyDecorators, Controller, Get, Header, HttpStatus, UseFilters, VERSION_NEUTRAL } from '@nestjs/common';
import { Health, type Liveness } from '@millrace/nestjs';
import { Exchange, type HttpExchange } from './exchange.js';
import { OWN_HEADERS } from './own-headers.js';
import { ProblemFilter } from './problem.filter.js';

/** Health for probes. It names no topics, because it asks for no token. */
@Controller({ path: 'health', version: VERSION_NEUTRAL })
@UseFilters(ProblemFilter)
export class HealthController {
  readonly #health: Health;

  constructor(health: Health) {
    this.#health = health;
  }

  /** 200 while the process is worth keeping. */
  @Get('live')
  @OwnHeaders()
  live(@Exchange() exchange: HttpExchange): Liveness {
    return answered(this.#health.live(), exchange);
  }

  /** 200 while it does its work, 503 while Redis is away or it starts or stops. */
  @Get('ready')
  @OwnHeaders()
  async ready(@Exchange() exchange: HttpExchange): Promise<Liveness> {
    const { ok, state } = await this.#health.ready();
    return answered({ ok, state }, exchange);
  }
}

function answered(state: Liveness, exchange: HttpExchange): Liveness {
  if (!state.ok) exchange.status(HttpStatus.SERVICE_UNAVAILABLE);
  return state;
}

function OwnHeaders(): MethodDecorator {
  return applyDecorators(...Object.entries(OWN_HEADERS).map(([name, value]) => Header(name, value)));
}
