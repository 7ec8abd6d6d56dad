/** An application of a user, as its compiler leaves it: a handler that writes `handled`. */
export const APP = `
import { Module } from '@nestjs/common';
import { MillraceModule, Subscribe, Topic } from '@millrace/nestjs';

export function decorated(target, decorators, name) {
  const descriptor = name && Object.getOwnPropertyDescriptor(target, name);
  for (const decorator of decorators) decorator(target, name, descriptor);
}
export class Hosted {}
decorated(Hosted, [Topic('hosted')]);
class Handlers {
  handle() { console.log('handled'); }
}
decorated(Handlers.prototype, [Subscribe(Hosted, { group: 'hosted' })], 'handle');
export class AppModule {}
decorated(AppModule, [Module({ imports: [MillraceModule.forRoot(), MillraceModule.forFeature([Hosted])], providers: [Handlers] })]);
`;

/** Publishes one message, without the handlers. */
export const PUBLISH = `
import { NestFactory } from '@nestjs/core';
import { Publisher, withoutHandlers } from '@millrace/nestjs';
import { AppModule, Hosted } from './app.module.js';

const app = await NestFactory.createApplicationContext(withoutHandlers(AppModule), { logger: ['error'] });
await app.get(Publisher, { strict: false }).publish(Hosted, new Hosted());
await app.close();
`;
