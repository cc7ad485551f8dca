/** What can go wrong with the catalog's Postgres, before and while it serves. */
import { errorCatalogue } from '#base';

export const errors = errorCatalogue('catalog', {
  enginePlatform: {
    kind: 'refused',
    message: (platform: string) => `no Postgres is shipped for ${platform}`,
    guidance: 'Name one of your own with HOLDFAST_DATABASE_URL.',
  },
  engineDamaged: {
    kind: 'failed',
    message: (what: string) => `the embedded Postgres can't be used: ${what}`,
    guidance:
      'Install the dependencies again (npm ci), or name a Postgres with HOLDFAST_DATABASE_URL.',
  },
  noOsUser: {
    kind: 'refused',
    message: () => "Postgres won't run as root, and no user for it is there or could be made",
    guidance:
      'Make one (useradd --system holdfast), run Holdfast as an ordinary user, or name a Postgres with HOLDFAST_DATABASE_URL.',
  },
  folderUnreachable: {
    kind: 'refused',
    message: (folder: string, user: string) => `the user "${user}" can't reach ${folder}`,
    guidance: 'Choose a state folder that others may traverse: HOLDFAST_STATE=/var/lib/holdfast.',
  },
  initFailed: {
    kind: 'failed',
    message: (what: string) => `the catalog's data folder can't be made: ${what}`,
    guidance: 'Mend what it says, then start again; nothing was kept.',
  },
  startFailed: {
    kind: 'failed',
    retryable: true,
    message: (what: string) => `the catalog's Postgres doesn't start: ${what}`,
    guidance: (_what: string) => 'Its log lies in the state folder: catalog/postgres.log.',
  },
  unreachable: {
    kind: 'failed',
    retryable: true,
    message: (url: string, what: string) =>
      `the catalog's Postgres at ${url} can't be reached: ${what}`,
    guidance: 'Check HOLDFAST_DATABASE_URL and that this server runs.',
  },
  notAllowed: {
    kind: 'refused',
    message: (what: string, _role: string, _database: string) =>
      `the catalog's Postgres doesn't let us keep a catalog: ${what}`,
    guidance: (_what: string, role: string, database: string) =>
      `It must be allowed to make schemas: grant create on database ${quoted(database)} to ${quoted(role)};`,
  },
  newerSchema: {
    kind: 'refused',
    message: (newest: string) => `the catalog was written by a newer Holdfast (${newest})`,
    guidance: 'Use that version or a later one.',
  },
  changedMigration: {
    kind: 'failed',
    message: (name: string) =>
      `the migration ${name} isn't the one that this catalog was made with`,
    guidance: 'Use the released files; a migration is never changed once it was applied.',
  },
  migrationFailed: {
    kind: 'failed',
    message: (name: string, what: string) => `the migration ${name} failed: ${what}`,
    guidance: 'Nothing of it was kept. Mend what it says and start again.',
  },
  fenced: {
    kind: 'refused',
    message: (holder: string) => `another control plane has taken over: ${holder}`,
    guidance: 'Stop one of the two; the newer one goes on.',
  },
});

const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`;
