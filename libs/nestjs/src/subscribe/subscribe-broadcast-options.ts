import { MessageHandlerOptions } from './subscribe-options.js';

/** Options of `@SubscribeBroadcast`: those of every handler, without a group and the options that belong to one. */
export class SubscribeBroadcastOptions extends MessageHandlerOptions {}
