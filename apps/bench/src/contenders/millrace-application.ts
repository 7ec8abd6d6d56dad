import type { INestApplicationContext, Provider } from '@nestjs/common';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MillraceModule, type MillraceOptions } from '@millrace/nestjs';

export interface ApplicationParts {
  readonly options: MillraceOptions;
  readonly contracts: Parameters<typeof MillraceModule.forFeature>[0];
  readonly providers?: readonly Provider[];
}

/** An application with Millrace in it, as a user writes one: it uses nothing but the public interface. */
export function startApplication({ options, contracts, providers = [] }: ApplicationParts): Promise<INestApplicationContext> {
  @Module({
    imports: [MillraceModule.forRoot(options), MillraceModule.forFeature([...contracts])],
    providers: [...providers],
  })
  class BenchModule {}
  return NestFactory.createApplicationContext(BenchModule, { logger: false, abortOnError: false });
}
