import { Topic } from '@millrace/nestjs';
import { IsInt, IsString } from 'class-validator';

/** The one kind of event whose pattern is a class; the others are plain. */
@Topic('chaos.checked', { partitions: 4 })
export class Checked {
  @IsInt() number!: number;
  @IsString() subject!: string;
}
