import { Module } from '@nestjs/common';
import { Archive } from './archive.js';
import { Mailer } from './mailer.js';

@Module({ providers: [Archive, Mailer] })
export class MailModule {}
