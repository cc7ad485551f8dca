/** The variables that a copy of a service gets: few of ours, its own resolved, and none that leads back to production. */
import { leadsToSame } from '../addresses.ts';
import { type CopyBindings, resolveBindings } from '../bindings.ts';
import { errors } from '../errors.ts';
import type { Environment, Service } from '../model.ts';
import type { Surroundings } from '../references.ts';

/**
 * All that is handed on. Credentials and addresses of production lie in variables of any name, so what isn't known to
 * be harmless stays behind; a service that wants more names it in its `env`.
 */
const INHERITED = /^(PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_[A-Z]+|TZ|TMPDIR)$/;

export type ServiceEnvironment = {
  variables: Record<string, string>;
  /** Texts that no log or error may show. */
  secrets: string[];
};

/** Throws `points-at-production`, `binding-unknown`, `variable-missing`. */
export function serviceEnvironment(
  service: Service,
  environment: Environment,
  bindings: CopyBindings,
  port: number,
  surroundings: Surroundings,
): ServiceEnvironment {
  const own: Record<string, string> = {};
  const secrets = Object.values(bindings.stores).map((store) => store.url);
  for (const [name, written] of Object.entries(service.env)) {
    const subject = `services.${service.name}.env.${name}`;
    const value = resolveBindings(written, { ...bindings, port }, surroundings, subject);
    own[name] = value;
    if (value !== written) secrets.push(value);
  }
  refuseProduction(service, own, environment, bindings);
  const muted = bindings.muted && service.sideEffects.length > 0;
  return {
    variables: {
      ...inherited(surroundings.variables),
      PORT: String(port),
      ...own,
      ...(muted && { HOLDFAST_MUTED: service.sideEffects.join(',') }),
    },
    secrets: secrets.filter((secret) => secret.length >= 4),
  };
}

export function inherited(
  variables: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(variables)) {
    if (value !== undefined && INHERITED.test(name)) kept[name] = value;
  }
  return kept;
}

/** Where each store of production lies: server addresses and folders. Hold secrets. */
export function productionAddresses(
  environment: Environment,
): { store: string; address: string }[] {
  return environment.stores.flatMap((store) => {
    const fields = 'own' in store ? [store.own.url, store.own.path] : [store.address?.reveal()];
    return fields
      .filter((field) => typeof field === 'string' && field !== '')
      .map((address) => ({ store: store.name, address: address as string }));
  });
}

function refuseProduction(
  service: Service,
  own: Readonly<Record<string, string>>,
  environment: Environment,
  bindings: CopyBindings,
): void {
  const copies = Object.values(bindings.stores).map((store) => store.url);
  const run = typeof service.run === 'string' ? service.run : (service.run ?? []).join(' ');
  const texts: Record<string, string> = { ...own, run };
  const { PGHOST, PGPORT } = own;
  if (PGHOST !== undefined) texts.PGHOST = `postgresql://${PGHOST}:${PGPORT ?? '5432'}/`;
  for (const { store, address } of productionAddresses(environment)) {
    for (const [name, text] of Object.entries(texts)) {
      const leads = addressesIn(text).some(
        (found) => leadsToSame(found, address) && !copies.some((copy) => leadsToSame(found, copy)),
      );
      if (leads) throw errors.pointsAtProduction([service.name, name, store]);
    }
  }
}

/** The text itself, and each address that stands somewhere in it. */
function addressesIn(text: string): string[] {
  return [text, ...(text.match(/[a-z][a-z0-9+.-]*:\/\/[^\s"'`,;<>]+|\/[^\s"'`,;:<>]+/gi) ?? [])];
}
