/** How production is stopped and started by those who run it. */
import { z } from 'zod';
import { commandLine } from './values.ts';

export const controlPart = z
  .strictObject({
    stop: commandLine.describe(
      'command line that stops the instance of production; run again after an interruption, so it must exit 0 where it is stopped already',
    ),
    start: commandLine.describe(
      'command line that starts it; likewise it must exit 0 where it runs already',
    ),
  })
  .describe('for recovery in place; both may be called twice');
