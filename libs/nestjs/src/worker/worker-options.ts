import type { DynamicModule, LoggerService, Type } from '@nestjs/common';
import { parseOptions } from '@millrace/core';
import { IsOptional, ValidateBy, type ValidationArguments } from 'class-validator';
import { defaultOf, type EnvironmentValues } from '../config/environment.js';
import { type SelectedHandlers, selectionProblems } from '../config/handler-selection.js';
import { IsTagList } from '../config/instance-tags.js';
import type { HealthAddress } from '../health/health-server.js';

/** The root module of an application. */
export type ApplicationModule = Type | DynamicModule | Promise<Type | DynamicModule>;

/** The work of a worker process, its health probes and its logger. */
export class WorkerOptions {
  /** Consumer groups to run. Default: with all three left out, the selection of the application or environment, else all. */
  @IsOptional() @IsNames('groups')
  groups?: readonly string[];

  /** Job queues to work on. */
  @IsOptional() @IsNames('queues')
  queues?: readonly string[];

  /** Services to serve. */
  @IsOptional() @IsNames('services')
  services?: readonly string[];

  /** Tags of the instances of its services. Default: those of the application or of the environment. */
  @IsOptional() @IsTagList()
  tags?: readonly string[];

  /** The address of `GET /health/live` and `/health/ready`. Default `MILLRACE_HEALTH_PORT` and `_HOST`, else none. */
  @IsOptional() @IsHealthAddress()
  health?: { port: number; host?: string } | false;

  /** Default Nest's console logger; false is silent. */
  @IsOptional()
  logger?: LoggerService | false;
}

/** @throws MillraceError INVALID_OPTIONS */
export function parseWorkerOptions(options: unknown): WorkerOptions {
  return parseOptions(WorkerOptions, options, 'runWorker()');
}

export function selectedBy({ groups, queues, services }: WorkerOptions): SelectedHandlers | undefined {
  if (!groups && !queues && !services) return undefined;
  return { ...(groups && { groups }), ...(queues && { queues }), ...(services && { services }) };
}

/** Null: there are no health probes. */
export function healthAddressOf({ health }: WorkerOptions, env: EnvironmentValues): HealthAddress | null {
  const host = env.MILLRACE_HEALTH_HOST ?? defaultOf('MILLRACE_HEALTH_HOST');
  if (health) return { port: health.port, host: health.host ?? host };
  return health === undefined && env.MILLRACE_HEALTH_PORT ? { port: Number(env.MILLRACE_HEALTH_PORT), host } : null;
}

function IsNames(kind: keyof SelectedHandlers): PropertyDecorator {
  return ValidateBy({
    name: 'isNames',
    validator: {
      validate: (value: unknown) => selectionProblems({ [kind]: value }).length === 0,
      defaultMessage: (given?: ValidationArguments) => `${kind}: ${selectionProblems({ [kind]: given?.value as unknown }).join('; ')}`,
    },
  });
}

function IsHealthAddress(): PropertyDecorator {
  return ValidateBy({
    name: 'isHealthAddress',
    validator: {
      validate: (value: unknown) => value === false || isAddress(value),
      defaultMessage: () => 'health must be false or { port, host }, with a port from 0 to 65535',
    },
  });
}

function isAddress(value: unknown): boolean {
  const { port, host, ...others } = (value ?? {}) as Record<string, unknown>;
  const isPort = typeof port === 'number' && Number.isInteger(port) && port >= 0 && port <= 65_535;
  return isPort && (host === undefined || typeof host === 'string') && Object.keys(others).length === 0;
}
