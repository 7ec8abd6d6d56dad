import { chaosCommand } from '@millrace/testing';
import { chaos } from './chaos.js';
import { documentOf, figuresOf, tableOf } from './report.js';
import { isClean, verdictOn } from './verdict.js';

export const { run, judge } = chaosCommand({ chaos, documentOf, tableOf, verdictOn, figuresOf, isClean });
