import { IsBoolean, IsOptional, IsString, Length, Matches } from 'class-validator';
import { CONFIRMATION_LENGTH } from './confirmation.js';

/** The options of every action. */
export class MutationOptions {
  /** The name of whoever acts, as the audit stream gets it: 1 to 200 visible characters. Required. */
  @IsString() @Length(1, 200) @Matches(/^\P{C}+$/u, { message: 'actor must be visible characters' })
  actor!: string;

  /** Only report the impact. Default false. */
  @IsOptional() @IsBoolean()
  dryRun?: boolean = false;

  /** The confirmation that a dry run of this action returned, where it returned one. Default: none. */
  @IsOptional() @IsString() @Length(1, CONFIRMATION_LENGTH)
  confirm?: string;
}
