import { Controller, Get, HttpStatus, Res } from '@nestjs/common';
import { Health, type Liveness } from '@millrace/nestjs';

/** What of an Express response is used. */
interface Response {
  status(code: number): unknown;
}

/** Health for probes. It names no topics: who may ask it is not asked for a token. */
@Controller('health')
export class HealthController {
  readonly #health: Health;

  constructor(health: Health) {
    this.#health = health;
  }

  /** 200 while the process is worth keeping. */
  @Get('live')
  live(@Res({ passthrough: true }) response: Response): Liveness {
    return answered(this.#health.live(), response);
  }

  /** 200 while it does its work, 503 while Redis is away or it starts or stops. */
  @Get('ready')
  async ready(@Res({ passthrough: true }) response: Response): Promise<Liveness> {
    const { ok, state } = await this.#health.ready();
    return answered({ ok, state }, response);
  }
}

function answered(state: Liveness, response: Response): Liveness {
  if (!state.ok) response.status(HttpStatus.SERVICE_UNAVAILABLE);
  return state;
}
