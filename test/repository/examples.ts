import { read } from './repository.js';

/** The examples of the README, by the file name in their first line. */
export function examples(): Map<string, string> {
  const blocks = [...read('README.md').matchAll(/```ts\n\/\/ (\S+)\n(.*?)```/gs)];
  return new Map(blocks.map(([, name = '', code = '']) => [name, code]));
}
