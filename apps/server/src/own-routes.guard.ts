import { type CanActivate, type ExecutionContext, ForbiddenException, Injectable } from '@nestjs/common';
import { CONTROLLERS } from './controllers.js';
import { hasAllRights, type Principal } from './principal.js';

const bearers = new WeakMap<object, Principal>();

/** Remembers who has sent a request whose token was checked. */
export function noteBearer(request: object, principal: Principal): void {
  bearers.set(request, principal);
}

/**
 * Keeps the application's own routes, of which Millrace knows nothing, for those who may do everything, wherever their paths are.
 *
 * @throws ForbiddenException
 */
@Injectable()
export class OwnRoutes implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    if (context.getType() !== 'http' || CONTROLLERS.includes(context.getClass())) return true;
    const principal = bearers.get(context.switchToHttp().getRequest<object>());
    if (principal) assertAllRights(principal);
    return true;
  }
}

/** @throws ForbiddenException */
export function assertAllRights(principal: Principal): void {
  if (!hasAllRights(principal)) throw new ForbiddenException('Routes of the application are for tokens with all rights: the role admin, payloads and send.');
}
