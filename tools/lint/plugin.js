import { imports } from './imports.js';
import { reasonedDisable } from './reasoned-disable.js';

/** The rules that only this repository has. */
export const millrace = { meta: { name: 'millrace' }, rules: { imports, 'reasoned-disable': reasonedDisable } };
