import { administering } from './guards/administering.js';
import { breaking } from './guards/breaking.js';
import { calls } from './guards/calls.js';
import { chosenCalls } from './guards/calls-choosing.js';
import { http } from './guards/http.js';
import { keptCalls } from './guards/calls-kept.js';
import { streamedCalls } from './guards/calls-streams.js';
import { clocks } from './guards/clocks.js';
import { holding, putBack, settling, sharing } from './guards/consuming.js';
import { deadLetters } from './guards/dead-letters.js';
import { deaths } from './guards/deaths.js';
import { durable } from './guards/durable.js';
import { halfMessages } from './guards/half-messages.js';
import { reading } from './guards/reading.js';
import { storing } from './guards/storing.js';
import { ledgers } from './guards/ledger.js';
import { nestEvents } from './guards/nest-events.js';
import { nestRequests } from './guards/nest-requests.js';
import { openFetches } from './guards/open-fetches.js';
import { ordered } from './guards/ordered.js';
import { forwarding } from './guards/forwarding.js';
import { orderingOperators } from './guards/ordering-operators.js';
import { owning } from './guards/owning.js';
import { outcomes } from './guards/outcomes.js';
import { raising } from './guards/raising.js';
import { relaying } from './guards/relaying.js';
import { removing } from './guards/removing.js';
import { groups, operating, publishing, retention } from './guards/publishing.js';
import { topology } from './guards/topology.js';
import { waiting } from './guards/waiting.js';

/**
 * The guards of the promises, each with the test that must fail without it: `npm run mutants` switches each off in a copy of the
 * sources.
 *
 * @typedef {object} Guard
 * @property {string} name the guard in words
 * @property {string} file from the root of the repository
 * @property {string} find the text to replace; it must be there exactly once, or the guard would be disarmed unseen
 * @property {string} replace
 * @property {string} spec the file with the test that must fail, the narrowest that there is
 * @property {string} title of that test, or the beginning that several share, as Jest's `-t` takes it
 */

/** @type {readonly Guard[]} */
export const GUARDS = [
  ...settling, ...outcomes, ...holding, ...sharing, ...waiting, ...putBack, ...publishing, ...groups, ...retention, ...operating,
  ...clocks, ...storing, ...removing, ...deadLetters, ...reading,
  ...owning, ...ordered, ...deaths, ...openFetches, ...orderingOperators, ...raising,
  ...forwarding, ...durable, ...halfMessages, ...topology, ...http, ...ledgers, ...relaying,
  ...breaking, ...calls, ...keptCalls, ...streamedCalls, ...chosenCalls, ...nestEvents, ...nestRequests,
  ...administering,
];
