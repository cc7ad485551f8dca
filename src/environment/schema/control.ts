/** How production is stopped and started by those who run it. */
import { z } from 'zod';
import { commandLine } from './values.ts';

export const controlPart = z
  .strictObject({
    stop: commandLine.describe('command line that stops the instance of production'),
    start: commandLine.describe('command line that starts it'),
  })
  .describe('for recovery in place');
