import { withoutUnseen } from './unseen.js';

/** Sequences that steer a terminal: CSI, then OSC, DCS, APC and their like with the text up to their end, then all others. */
// eslint-disable-next-line no-control-regex -- what is looked for
const SEQUENCES = /(?:\u001B\[|\u009B)[0-?]*[ -/]*[@-~]?|(?:\u001B[\]PX^_]|[\u0090\u0098\u009D-\u009F])[^\u0007\u001B\u009C]*(?:\u0007|\u001B\\|\u009C)?|\u001B[ -/]*[0-~]?/g;

const BREAKS = /[\t\n\v\f\r\u0085\p{Zl}\p{Zp}]+/gu;

const MARK = '\uFFFD';

/**
 * A text as a terminal may show it, on one line: names, payloads and errors come from strangers, and a terminal obeys what is in
 * them. In the place of what steers it or is not seen there is a mark, so that no two texts look the same because of it.
 */
export function printable(text: string): string {
  return withoutUnseen(text.replace(SEQUENCES, MARK).replace(BREAKS, ' '), () => MARK);
}
