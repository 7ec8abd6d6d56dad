import { MessageHandlerOptions } from './subscribe-options.js';

/** What `@SubscribeBroadcast` takes after the topic: what every handler takes, but no group and what belongs to one. */
export class SubscribeBroadcastOptions extends MessageHandlerOptions {}
