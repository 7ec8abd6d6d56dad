import { Matches } from 'class-validator';

/** Room for the suffixes of indexes within the 63 bytes of PostgreSQL. */
const NAME = /^[a-z_][a-z0-9_]{0,39}$/;

/** The property is the name of a table or of a schema. */
export function IsTableName(): PropertyDecorator {
  return Matches(NAME, { message: '$property must be 1 to 40 of the characters a-z 0-9 _, and not begin with a digit' });
}
