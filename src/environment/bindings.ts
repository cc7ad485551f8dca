/** The addresses of one copy, put in place of the references that only a copy can resolve. */
import { errors } from './errors.ts';
import { lookUp, type Reference, replaceReferences, type Surroundings } from './references.ts';

/** As recovery hands them in. */
export type CopyBindings = {
  /** `atMs`: the instant that this copy of it is of, ms since 1970. */
  stores: Record<string, { url: string; atMs?: number }>;
  services: Record<string, { url: string }>;
  /** Folder for logs and pid files of this copy. */
  scratch: string;
  /** Side effects are muted: the service gets HOLDFAST_MUTED with their names. */
  muted: boolean;
};

/**
 * The text with `${stores.orders.url}`, `${services.api.url}`, `${port}` and what is looked up on this machine in
 * place. `subject` names the place in errors: `services.api.env.DATABASE_URL`.
 * Throws `binding-unknown` or `variable-missing`; neither shows a value.
 */
export function resolveBindings(
  text: string,
  bindings: Pick<CopyBindings, 'stores' | 'services'> & { port?: number },
  surroundings: Surroundings,
  subject: string,
): string {
  return replaceReferences(text, (reference) => {
    if (reference.kind === 'variable' || reference.kind === 'file') {
      const looked = lookUp(reference, surroundings);
      if ('value' in looked) return looked.value;
      throw errors.variableMissing([subject, reference.text, looked.missing]);
    }
    const value = bindingOf(reference, bindings);
    if (value === undefined) throw errors.bindingUnknown([subject, reference.text]);
    return value;
  });
}

function bindingOf(
  reference: Exclude<Reference, { kind: 'variable' | 'file' }>,
  bindings: Pick<CopyBindings, 'stores' | 'services'> & { port?: number },
): string | undefined {
  if (reference.kind === 'port') return bindings.port?.toString();
  if (reference.kind === 'malformed') return undefined;
  const known = reference.kind === 'store' ? bindings.stores : bindings.services;
  return Object.hasOwn(known, reference.name) ? known[reference.name]?.url : undefined;
}
