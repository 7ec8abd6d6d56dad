import { Command, InvalidArgumentError, Option } from 'commander';

const MODES = ['ordered', 'shared', 'rpc', 'forward', 'transactions', 'transport'];
const TOPOLOGIES = ['standalone', 'cluster', 'sentinel'];
const WORKERS = { ordered: 4, shared: 4, rpc: 3, forward: 2, transactions: 3, transport: 3 };

const HELP = `
Processes work on a Redis of their own while faults occur: processes and Redis are killed and frozen, connections are reset, replies
are lost, clocks are stepped. The figures of the verdict must be 0.

Modes shared and ordered: two processes publish messages, and workers handle them.

  lost              confirmed to the publisher, and neither handled nor dead-lettered
  phantom           handled, stored or dead-lettered, and never published
  dup_entries       stored more than once under one idempotency key
  dup_effects       handler runs that began after it was known to a worker that the message was settled
  order             messages that broke the order of their key; "-" in shared mode, which promises none
  two_owners        settled runs of a process that did not own the partition; "-" in shared mode, where nobody does
  stuck             messages that the group never got done with
  bad_dead_letters  dead letters that should not exist, exist twice, or lack a part of their history

Mode rpc: two processes call methods, which workers serve. Clocks are left alone; instances leave and join.

  unsettled                calls of processes that lived which never settled, and calls and requests that were still counted at the end
  double_settled           settlements of a call beyond its first
  executed_after_deadline  executions that began after the time of the call, counted from the moment at which Redis had the request
  dup_effects              idempotent: executions that began when the ledger was known to have the answer; others: all beyond the first
  lost                     one-way calls that were confirmed, may be repeated, and were not executed within their 20 seconds
  wrong                    calls that were given the answer of another one
  left                     requests that are in Redis though every call has settled
  bad_exits                processes that were asked to stop and ended with an error

Mode forward: handlers forward each message through four topics, in processes that are killed, while connections are cut.

  lost     messages that are missing in a topic
  doubled  messages that a topic has more than once

Mode transactions: two processes place orders in transactions, with an outbox or a half message, and workers handle them with the inbox, the
ledger, steps that are remembered, and messages that go out with a settlement. Processes kill themselves at each point between two of these.

  lost          orders whose transaction took effect, without their message or without an effect
  phantom       messages of orders that were not placed
  doubled       messages beyond the first of an order
  dup_effects   effects beyond the first with the inbox; other effects beyond the first that no kill explains
  halves_left   half messages that are left
  stuck         rows of the outbox, messages of groups, and messages on their way to the next topic that are left
  dead_letters  there should be none
  bad_exits     processes that were asked to stop and ended with an error

Mode transport: Nest applications emit events and send requests by MillraceClient, and others handle and answer them with MillraceServer.

  lost              events whose emit was confirmed, neither handled by every handler of a group nor a dead letter of it
  stuck             events that a group never got done with, and requests that are left in Redis
  unsettled         requests of clients that lived which ended with no value and no error, or after their deadline
  double_settled    ends of a request beyond its first
  phantom           handled or dead-lettered events that nobody emitted, and answers of requests that nobody executed
  wrong             requests that were given the answer of another one, or only a part of theirs as if it were whole
  executed_twice    executions of a request beyond its first
  bad_dead_letters  dead letters that should not exist, or exist twice
  bad_exits         processes that were asked to stop and did not end by themselves with code 0

Effects outside of a database transaction may be repeated when a process dies before it can record them: these are counted as \`window\`.

Calls wait for no replica, and a failover loses what the next primary does not have: dup_effects and lost may be above 0 then, above all by
a planned failover behind Sentinels, where the old primary takes writes until the new one is announced.

The seed decides which faults occur, in which order, and whether entries are packed; moments differ from run to run.
Exit codes: 0 every figure is 0, 1 one is not, or the run failed, 2 wrong options.
`;

/**
 * @param {readonly string[]} args
 * @throws CommanderError; its reason was written
 */
export function parseChaosOptions(args) {
  const program = new Command('chaos').description('Checks the promises of Millrace while faults occur').addHelpText('after', HELP);
  for (const option of chaosOptions()) program.addOption(option);
  program.exitOverride();
  program.parse(args, { from: 'user' });
  const options = program.opts();
  return { json: false, workers: WORKERS[options.mode], ...options };
}

function chaosOptions() {
  return [
    new Option('--mode <mode>', 'messages, and how the workers share the partitions, or calls').choices(MODES).default('shared'),
    new Option('--topology <name>', 'how Redis is set up').choices(TOPOLOGIES).default('standalone'),
    new Option('--messages <n>', 'messages to publish, calls to make, or both').argParser(whole(100, 10_000_000)).default(30_000),
    new Option('--faults <n>', 'faults, spread evenly over the messages').argParser(whole(0, 10_000)).default(35),
    new Option('--workers <n>', 'worker processes (default: 4 in modes ordered and shared, 2 in mode forward, else 3)').argParser(whole(1, 16)),
    new Option('--seed <n>', 'repeats the faults of another run')
      .argParser(whole(0, 2 ** 31 - 1))
      .default(Math.floor(Math.random() * 2 ** 31), 'random'),
    new Option('--keep <file>', 'write the history of the run to this file'),
    new Option('--judge <file>', 'judge a history that --keep wrote, in the mode of its run, and run nothing'),
    new Option('--json', 'write one JSON document to stdout'),
  ];
}

/** Parses a whole number. */
function whole(from, to) {
  return (text) => {
    const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= from && value <= to) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${from} to ${to}.`);
  };
}
