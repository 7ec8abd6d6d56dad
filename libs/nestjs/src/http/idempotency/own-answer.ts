import type { ExecutionContext } from '@nestjs/common';
import { RESPONSE_PASSTHROUGH_METADATA, ROUTE_ARGS_METADATA, RouteParamtypes } from '@nestjs/common/internal';

const TAKES_RESPONSE: readonly string[] = [RouteParamtypes.RESPONSE, RouteParamtypes.NEXT].map(String);

/** Whether a route sends its answer itself, by `@Res()` or `@Next()`: Nest sends none then, and what it sends is not seen. */
export function sendsItself(context: ExecutionContext): boolean {
  const [type, method] = [context.getClass(), context.getHandler().name];
  const parameters = (Reflect.getMetadata(ROUTE_ARGS_METADATA, type, method) ?? {}) as object;
  // Each is `<type>:<index>`.
  const takesResponse = Object.keys(parameters).some((name) => TAKES_RESPONSE.includes(name.split(':')[0]!));
  return takesResponse && Reflect.getMetadata(RESPONSE_PASSTHROUGH_METADATA, type, method) !== true;
}
