import { IsVisibleText } from '@millrace/core';
import { IsBoolean, IsOptional, Length } from 'class-validator';
import { CONFIRMATION_LENGTH } from './confirmation.js';

/** The options of every action. */
export class MutationOptions {
  /** The name of whoever acts, as the audit stream gets it: 1 to 200 visible characters. Required. */
  @IsVisibleText(200)
  actor!: string;

  /** Only report the impact. Default false. */
  @IsOptional() @IsBoolean()
  dryRun?: boolean = false;

  /** The confirmation that a dry run of this action returned, where it returned one. Default: none. */
  @IsOptional() @Length(1, CONFIRMATION_LENGTH)
  confirm?: string;
}
