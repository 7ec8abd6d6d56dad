import type { ModuleRef } from '@nestjs/core';
import type { Settings } from '../config/settings.js';
import { SETTINGS } from '../module/tokens.js';

/** How long work of an application that imports `MillraceModule` may take to finish at shutdown, in ms: its `shutdownTimeout`. */
export function shutdownTimeoutOf(app: Pick<ModuleRef, 'get'>): number {
  return app.get<Settings, Settings>(SETTINGS, { strict: false }).shutdownTimeoutMs;
}
