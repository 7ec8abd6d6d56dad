import type { CommandGroup, CommandSpec } from '../session/command-spec.js';
import { audit } from './audit.js';
import { benches } from './bench.js';
import { complete, completion } from './completion.js';
import { context } from './context.js';
import { dev } from './dev.js';
import { dlq } from './dlq.js';
import { doctor } from './doctor.js';
import { groups } from './groups.js';
import { server, worker } from './hosts.js';
import { jobs } from './jobs.js';
import { messages } from './messages.js';
import { pub } from './pub.js';
import { schema } from './schema.js';
import { instances, services } from './services.js';
import { tail } from './tail.js';
import { top } from './top.js';
import { topics } from './topics.js';

/** The tree of commands: one file each, one line here. */
export const COMMANDS: readonly (CommandGroup | CommandSpec)[] = [
  topics,
  groups,
  tail,
  pub,
  top,
  messages,
  dlq,
  jobs,
  services,
  instances,
  schema,
  audit,
  doctor,
  benches,
  dev,
  worker,
  server,
  context,
  completion,
  complete,
];
