import { Controller, Get, NotFoundException, Res, VERSION_NEUTRAL } from '@nestjs/common';
import { Telemetry } from '@millrace/nestjs';
import { Guarded } from './guarded.js';
import { Needs } from './needs.js';

interface Response {
  header(name: string, value: string): Response;
  send(body: string): unknown;
}

/** The metrics of this process, as Prometheus reads them. */
@Controller({ path: 'metrics', version: VERSION_NEUTRAL })
@Guarded()
export class MetricsController {
  readonly #telemetry: Telemetry;

  constructor(telemetry: Telemetry) {
    this.#telemetry = telemetry;
  }

  @Get()
  @Needs('viewer')
  async text(@Res() response: Response): Promise<void> {
    if (!this.#telemetry.hasMetrics) throw new NotFoundException('This process counts nothing: set the option metrics of MillraceModule to true.');
    const text = await this.#telemetry.text();
    response.header('content-type', this.#telemetry.contentType).send(text);
  }
}
