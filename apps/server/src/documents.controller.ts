import { Controller, Get, HttpStatus, Res, VERSION_NEUTRAL } from '@nestjs/common';
import { asyncApiDocument } from '@millrace/core';
import { Contracts, Inspector } from '@millrace/nestjs';
import { openApiDocument } from './documents/openapi.js';
import { Guarded } from './guarded.js';
import { Needs } from './needs.js';
import { type JsonResponse, sendJson } from './send-json.js';

/** Documents for machines about the routes and the topics. */
@Controller({ version: VERSION_NEUTRAL })
@Guarded()
export class DocumentsController {
  readonly #contracts: Contracts;
  readonly #inspector: Inspector;

  constructor(contracts: Contracts, inspector: Inspector) {
    this.#contracts = contracts;
    this.#inspector = inspector;
  }

  @Get('openapi.json')
  @Needs('viewer')
  openApi(@Res() response: JsonResponse): void {
    sendJson(response, HttpStatus.OK, openApiDocument());
  }

  @Get('asyncapi.json')
  @Needs('viewer')
  async asyncApi(@Res() response: JsonResponse): Promise<void> {
    sendJson(response, HttpStatus.OK, asyncApiDocument(this.#contracts.topics(), await this.#inspector.topics()));
  }
}
