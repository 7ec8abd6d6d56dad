/**
 * Runs processes under faults, and checks that Millrace keeps its promises. Each mode lives with the tests of its library; node
 * must be started with the loader of libs/testing.
 */
import { CommanderError } from 'commander';
import { parseChaosOptions } from './options.js';

const USAGE = 2;
/** The folder that has the mode. */
const FOLDERS = { rpc: 'rpc/test/chaos', forward: 'streams/test/forward', transactions: 'nestjs/test/chaos', transport: 'nestjs/test/transport/chaos' };

process.exit(await main());

/** @returns the exit code */
async function main() {
  const options = parse();
  if (typeof options === 'number') return options;
  const { json, keep, judge, mode, ...run } = options;
  const command = await commandOf(mode);
  if (judge === undefined) announce(options);
  const { document, text } = judge === undefined ? await command.run({ mode, ...run }, keep) : command.judge(judge);
  process.stdout.write(json ? `${JSON.stringify(document, null, 2)}\n` : text);
  return document.holds ? 0 : 1;
}

function commandOf(mode) {
  const folder = FOLDERS[mode] ?? 'streams/test/chaos';
  return import(new URL(`../../libs/${folder}/command.ts`, import.meta.url).href);
}

/** @returns the exit code when --help was asked for or the options are wrong: the text was written then */
function parse() {
  try {
    return parseChaosOptions(process.argv.slice(2));
  } catch (thrown) {
    if (!(thrown instanceof CommanderError)) throw thrown;
    return thrown.exitCode === 0 ? 0 : USAGE;
  }
}

function announce({ mode, topology, messages, faults, workers, seed }) {
  process.stderr.write(`chaos --mode ${mode} --topology ${topology} --messages ${messages} --faults ${faults} --workers ${workers} --seed ${seed}\n`);
}
