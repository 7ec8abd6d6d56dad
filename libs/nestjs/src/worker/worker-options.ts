import type { DynamicModule, LoggerService, Type } from '@nestjs/common';
import { parseOptions } from '@millrace/core';
import { IsOptional, ValidateBy, type ValidationArguments } from 'class-validator';
import { defaultOf, type EnvironmentValues } from '../config/environment.js';
import { type SelectedHandlers, selectionProblems } from '../config/handler-selection.js';
import { IsTagList } from '../config/instance-tags.js';
import type { HealthPort } from '../health/health-server.js';

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

  /**
   * The address of `GET /health/live` and `/health/ready`, and whether readiness tells of each part, with names, addresses and
   * the texts of errors. Default `MILLRACE_HEALTH_PORT`, `_HOST` and `_DETAILS`, else none.
   */
  @IsOptional() @IsHealthPort()
  health?: { port: number; host?: string; details?: boolean } | false;

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
export function healthPortOf({ health }: WorkerOptions, env: EnvironmentValues): HealthPort | null {
  const host = env.MILLRACE_HEALTH_HOST ?? defaultOf('MILLRACE_HEALTH_HOST');
  const details = ['1', 'true'].includes(env.MILLRACE_HEALTH_DETAILS ?? '');
  if (health) return { port: health.port, host: health.host ?? host, details: health.details ?? details };
  return health === undefined && env.MILLRACE_HEALTH_PORT ? { port: Number(env.MILLRACE_HEALTH_PORT), host, details } : null;
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

function IsHealthPort(): PropertyDecorator {
  return ValidateBy({
    name: 'isHealthPort',
    validator: {
      validate: (value: unknown) => value === false || isHealthPort(value),
      defaultMessage: () => 'health must be false or { port, host, details }, with a port from 0 to 65535',
    },
  });
}

function isHealthPort(value: unknown): boolean {
  const { port, host, details, ...others } = (value ?? {}) as Record<string, unknown>;
  const isPort = typeof port === 'number' && Number.isInteger(port) && port >= 0 && port <= 65_535;
  const isHost = host === undefined || typeof host === 'string';
  return isPort && isHost && (details === undefined || typeof details === 'boolean') && Object.keys(others).length === 0;
}
