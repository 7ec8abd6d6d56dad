import type { ParamData } from '@nestjs/common';
import { ROUTE_ARGS_METADATA } from '@nestjs/common/internal';
import type { ParamsFactory } from '@nestjs/core/helpers/external-context-creator.js';

/** The metadata that describe a handler's parameters, in the form that Nest gives to all of its parameter decorators. */
export const HANDLER_PARAMETERS = 'millrace:parameters';

/** The numbers that `@Payload()` and `@Ctx()` of @nestjs/microservices write. */
const PAYLOAD = 3;
const CONTEXT = 6;

interface Parameter {
  readonly index: number;
  readonly data?: unknown;
  readonly pipes: readonly unknown[];
}

/**
 * Pipes reach only parameters that are described. Where the user decorated neither, the first parameter is the payload and
 * the second the context.
 */
export function declareParameters(type: object, method: string): void {
  const written = (Reflect.getMetadata(ROUTE_ARGS_METADATA, type, method) ?? {}) as Record<string, Parameter>;
  const described = new Set(Object.values(written).map(({ index }) => index));
  const parameters = {
    ...(described.has(0) ? {} : { [`${PAYLOAD}:0`]: { index: 0, pipes: [] } }),
    ...(described.has(1) ? {} : { [`${CONTEXT}:1`]: { index: 1, pipes: [] } }),
    ...written,
  };
  Reflect.defineMetadata(HANDLER_PARAMETERS, parameters, type, method);
}

/** Whether the method takes the payload and the context as they are, in this order. */
export function arePlainParameters(type: object, method: string): boolean {
  const declared = (Reflect.getMetadata(HANDLER_PARAMETERS, type, method) ?? {}) as Record<string, Parameter>;
  const isPlain = ({ data, pipes }: Parameter): boolean => data === undefined && pipes.length === 0;
  const places = Object.entries(declared).map(([key, parameter]) => (isPlain(parameter) ? `${key}/${parameter.index}` : ''));
  return places.sort().join() === `${PAYLOAD}:0/0,${CONTEXT}:1/1`;
}

/** Fills the parameters of a handler from its arguments: the payload and the context. */
export const handlerParameters: ParamsFactory = {
  exchangeKeyForValue(type: number, data: ParamData, args: readonly unknown[]): unknown {
    if (type === CONTEXT) return args[1];
    if (type !== PAYLOAD) return null;
    const [payload] = args;
    // A payload of no class may be null.
    return typeof data === 'string' ? (payload as Record<string, unknown> | null)?.[data] : payload;
  },
};
