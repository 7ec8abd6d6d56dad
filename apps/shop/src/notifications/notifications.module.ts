import { MillraceModule } from '@millrace/nestjs';
import { Module } from '@nestjs/common';
import { SendConfirmation } from '../contracts/send-confirmation.js';
import { Notifications } from './notifications.js';

@Module({ imports: [MillraceModule.forFeature([SendConfirmation])], providers: [Notifications] })
export class NotificationsModule {}
