/** A running application: how a copy of it is started, and how production is stopped and started. */
import { z } from 'zod';
import { controlPart } from './control.ts';
import { commandLine, name, text } from './values.ts';

const variableName = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'is no name of a variable')
  .refine((variable) => !variable.startsWith('HOLDFAST_'), {
    error: 'HOLDFAST_… is for Holdfast itself',
  });

export const servicePart = z
  .strictObject({
    run: z
      .union([commandLine, z.array(text).min(1, 'is empty')], {
        error: 'must be a command line or a list of words',
      })
      .optional()
      .describe('command that runs a copy in the foreground: a line for sh, or a list of words'),
    cwd: text.optional().describe('folder it runs in; by default that of this file'),
    user: text
      .optional()
      .describe(
        'OS user that a copy runs as, where Holdfast runs as root; by default the user that runs Holdfast. Its other groups are not taken over',
      ),
    needs: z
      .array(name)
      .default([])
      .describe('stores and services that must be up first; others start at the same time'),
    env: z
      .record(
        variableName,
        z.union([z.string(), z.number(), z.boolean()], { error: 'must be a text' }),
      )
      .default({})
      .describe('its environment; ${port}, ${stores.orders.url} and ${services.api.url} are known'),
    health: text
      .regex(/^https?:\/\//, 'must be an address such as http://127.0.0.1:${port}/healthz')
      .optional()
      .describe('address that answers 2xx when it is ready, with ${port}'),
    version: text.optional().describe('its version, kept with every recovery point'),
    sideEffects: z
      .array(name)
      .default([])
      .describe('what it does to the outside (email, payments): muted outside production'),
    control: controlPart.optional(),
  })
  .refine((service) => service.run !== undefined || service.control !== undefined, {
    error: 'needs run or control, else nobody can start it',
  });

export type DeclaredService = z.output<typeof servicePart>;
